"""The rehearsal: both hosts on one machine, against simulated clouds and a local edge."""
