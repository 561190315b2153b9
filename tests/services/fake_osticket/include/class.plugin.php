<?php
// osTicket loads its plugin classes from here; the played ones stand in bootstrap.php.
