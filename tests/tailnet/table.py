"""Who may reach whom: the table. Source, destination, protocol and port, and the rule that must let it through."""

from __future__ import annotations

from tests.tailnet.world import Case, cases

_TABLES = {
    "no rules at all": (
        "",
        """
        laptop  monk      tcp/22,udp/53,icmp  policy
        guest   kscloud1  tcp/5432            policy
        """,
    ),
    "an empty list of grants": (
        '"grants": []',
        """
        laptop  monk      tcp/22,udp/53,icmp  -
        monk    kscloud1  tcp/5432            -
        """,
    ),
    "tags": (
        '"grants": [{"src": ["tag:monk"], "dst": ["tag:kscloud1"], "ip": ["tcp:5432"]}]',
        """
        monk      kscloud1  tcp/5432                     grants.0
        nas       kscloud1  tcp/5432                     grants.0
        monk      kscloud1  icmp                         grants.0
        monk      kscloud1  tcp/5431,tcp/5433,udp/5432   -
        monk      kscloud1  sctp/5432,gre                -
        kscloud1  monk      tcp/5432,icmp                -
        laptop    kscloud1  tcp/5432,icmp                -
        monk      nas       tcp/5432                     -
        """,
    ),
    "a device with two tags": (
        '"grants": [{"src": ["tag:store"], "dst": ["tag:monk"], "ip": ["tcp:2049"]}]',
        """
        nas   monk  tcp/2049  grants.0
        monk  nas   tcp/2049  -
        nas   kscloud1  tcp/2049  -
        """,
    ),
    "a user": (
        '"grants": [{"src": ["ada@example.com"], "dst": ["tag:monk", "tag:kscloud1"], "ip": ["tcp:22"]}]',
        """
        laptop  monk      tcp/22   grants.0
        phone   kscloud1  tcp/22   grants.0
        phone   nas       tcp/22   grants.0
        tablet  monk      tcp/22   -
        guest   monk      tcp/22   -
        monk    kscloud1  tcp/22   -
        laptop  phone     tcp/22   -
        nas     kscloud1  tcp/22   -
        """,
    ),
    "a user as destination": (
        '"grants": [{"src": ["tag:monk"], "dst": ["bob@example.com"], "ip": ["tcp:80"]}]',
        """
        monk  tablet  tcp/80  grants.0
        monk  laptop  tcp/80  -
        monk  kscloud1  tcp/80  -
        """,
    ),
    "a whole domain": (
        '"grants": [{"src": ["user:*@example.com"], "dst": ["tag:monk"], "ip": ["tcp:443"]}]',
        """
        laptop  monk  tcp/443  grants.0
        tablet  monk  tcp/443  grants.0
        guest   monk  tcp/443  -
        kscloud1  monk  tcp/443  -
        """,
    ),
    "groups": (
        (
            '"grants": [{"src": ["group:family"], "dst": ["tag:monk"], "ip": ["tcp:80-90"]},'
            ' {"src": ["group:empty"], "dst": ["tag:kscloud1"], "ip": ["*"]}]'
        ),
        """
        laptop  monk      tcp/80,tcp/85,tcp/90  grants.0
        tablet  monk      tcp/80                grants.0
        laptop  monk      tcp/79,tcp/91,udp/85  -
        guest   monk      tcp/85                -
        laptop  kscloud1  tcp/80,icmp           -
        """,
    ),
    "a group as destination": (
        '"acls": [{"action": "accept", "src": ["tag:kscloud1"], "dst": ["group:family:8080"]}]',
        """
        kscloud1  laptop  tcp/8080,udp/8080  acls.0
        kscloud1  tablet  tcp/8080  acls.0
        kscloud1  guest   tcp/8080  -
        monk      laptop  tcp/8080  -
        """,
    ),
    "members": (
        '"grants": [{"src": ["autogroup:member"], "dst": ["tag:monk"], "ip": ["443"]}]',
        """
        laptop    monk  tcp/443,udp/443,icmp  grants.0
        guest     monk  tcp/443               grants.0
        kscloud1  monk  tcp/443,icmp          -
        nas       monk  tcp/443               -
        printer   monk  tcp/443               -
        """,
    ),
    "tagged": (
        '"grants": [{"src": ["autogroup:tagged"], "dst": ["autogroup:member"], "ip": ["udp:53"]}]',
        """
        monk    laptop    udp/53  grants.0
        nas     guest     udp/53  grants.0
        monk    laptop    tcp/53  -
        laptop  phone     udp/53  -
        monk    kscloud1  udp/53  -
        """,
    ),
    "self": (
        '"grants": [{"src": ["autogroup:member"], "dst": ["autogroup:self"], "ip": ["*"]}]',
        """
        laptop  phone   tcp/22,udp/1,icmp  grants.0
        phone   laptop  tcp/65535          grants.0
        laptop  tablet  tcp/22,icmp        -
        laptop  monk    tcp/22             -
        monk    nas     tcp/22             -
        nas     laptop  tcp/22             -
        laptop  nas     tcp/22             -
        """,
    ),
    "self of a group": (
        '"grants": [{"src": ["bob@example.com"], "dst": ["autogroup:self"], "ip": ["tcp:22"]}]',
        """
        laptop  phone  tcp/22  -
        tablet  phone  tcp/22  -
        """,
    ),
    "self beside a tag": (
        '"acls": [{"action": "accept", "src": ["autogroup:member"], "dst": ["autogroup:self:22", "tag:monk:80"]}]',
        """
        laptop  phone   tcp/22  acls.0
        laptop  monk    tcp/80  acls.0
        laptop  phone   tcp/80  -
        laptop  monk    tcp/22  -
        tablet  laptop  tcp/22  -
        """,
    ),
    "the internet": (
        '"grants": [{"src": ["autogroup:member"], "dst": ["autogroup:internet"], "ip": ["*"]}]',
        """
        laptop  website  tcp/443,udp/443,icmp  grants.0
        laptop  monk     tcp/443               -
        laptop  printer  tcp/443               -
        laptop  office   tcp/443               -
        laptop  depot    tcp/443               -
        monk    website  tcp/443               -
        six     sixhost  tcp/443               grants.0
        """,
    ),
    "roles": (
        (
            '"grants": [{"src": ["autogroup:admin"], "dst": ["tag:monk"], "ip": ["tcp:22"]},'
            ' {"src": ["autogroup:auditor"], "dst": ["tag:monk"], "ip": ["tcp:9090"]}]'
        ),
        """
        laptop  monk  tcp/22    grants.0
        tablet  monk  tcp/9090  grants.1
        tablet  monk  tcp/22    -
        laptop  monk  tcp/9090  -
        monk    nas   tcp/22    -
        """,
    ),
    "everybody, even from outside": (
        '"grants": [{"src": ["autogroup:danger-all"], "dst": ["tag:kscloud1"], "ip": ["tcp:443"]}]',
        """
        guest    kscloud1  tcp/443  grants.0
        website  kscloud1  tcp/443  grants.0
        guest    kscloud1  tcp/80   -
        """,
    ),
    "hosts": (
        (
            '"grants": [{"src": ["tag:monk"], "dst": ["printer"], "ip": ["tcp:631"]},'
            ' {"src": ["group:family"], "dst": ["lan"], "ip": ["tcp:80"]},'
            ' {"src": ["cloud"], "dst": ["tag:monk"], "ip": ["tcp:9100"]}]'
        ),
        """
        monk      printer   tcp/631  grants.0
        laptop    printer   tcp/80   grants.1
        laptop    camera    tcp/80   grants.1
        kscloud1  monk      tcp/9100 grants.2
        monk      camera    tcp/631  -
        laptop    printer   tcp/631  -
        laptop    kscloud1  tcp/80   -
        nas       monk      tcp/9100 -
        """,
    ),
    "addresses": (
        (
            '"grants": [{"src": ["100.64.0.11"], "dst": ["100.64.0.2"], "ip": ["tcp:22"]},'
            ' {"src": ["192.168.1.0/24"], "dst": ["100.64.0.1"], "ip": ["tcp:445"]},'
            ' {"src": ["100.64.0.0/29"], "dst": ["192.168.0.0/16"], "ip": ["icmp:*"]}]'
        ),
        """
        laptop    kscloud1  tcp/22   grants.0
        phone     kscloud1  tcp/22   -
        printer   monk      tcp/445  grants.1
        camera    monk      tcp/445  -
        kscloud1  camera    icmp     grants.2
        kscloud1  camera    tcp/80   -
        laptop    camera    icmp     -
        """,
    ),
    "a range of addresses": (
        '"grants": [{"src": ["100.64.0.11-100.64.0.13"], "dst": ["tag:monk"], "ip": ["tcp:443"]}]',
        """
        laptop  monk  tcp/443  grants.0
        tablet  monk  tcp/443  grants.0
        guest   monk  tcp/443  -
        nas     monk  tcp/443  -
        """,
    ),
    "addresses of the sixth version": (
        (
            '"grants": [{"src": ["fd7a:115c:a1e0::/48"], "dst": ["2606:2800:220:1::1"], "ip": ["tcp:443"]}],'
            ' "acls": [{"action": "accept", "src": ["zoe@six.net"], "dst": ["[2606:2800:220:1::1]:22"]}]'
        ),
        """
        six  sixhost  tcp/443         grants.0
        six  sixhost  tcp/22,udp/22   acls.0
        six  sixhost  tcp/80          -
        """,
    ),
    "ipsets": (
        (
            '"ipsets": {"ipset:home": ["add host:lan", "remove 192.168.2.0/24"],'
            ' "ipset:both": ["ipset:home", "100.64.0.2"],'
            ' "ipset:public": ["autogroup:internet", "remove 93.184.216.0/24"]},'
            ' "grants": [{"src": ["tag:monk"], "dst": ["ipset:both"], "ip": ["tcp:80"]},'
            ' {"src": ["tag:kscloud1"], "dst": ["ipset:public", "ipset:home"], "ip": ["tcp:443"]}]'
        ),
        """
        monk      printer   tcp/80   grants.0
        monk      kscloud1  tcp/80   grants.0
        monk      camera    tcp/80   -
        kscloud1  printer   tcp/443  grants.1
        kscloud1  website   tcp/443  -
        kscloud1  monk      tcp/443  -
        """,
    ),
    "the wildcard": (
        (
            '"grants": [{"src": ["*"], "dst": ["tag:monk"], "ip": ["tcp:80"]},'
            ' {"src": ["nobody@example.com"], "dst": ["*"],'
            ' "ip": ["*"]}, {"src": ["tag:store"], "dst": ["*"], "ip": ["*"]}]'
        ),
        """
        laptop   monk      tcp/80         grants.0
        printer  monk      tcp/80         grants.0
        laptop   kscloud1  tcp/80         -
        nas      website   tcp/25,udp/9   grants.2
        nas      laptop    icmp           grants.2
        monk     laptop    tcp/80         -
        """,
    ),
    "ports": (
        (
            '"grants": [{"src": ["tag:monk"], "dst": ["tag:kscloud1"], "ip": ['
            '"tcp:22", "tcp:5000-5010", "udp:*", "9100"]}]'
        ),
        """
        monk  kscloud1  tcp/22,tcp/5000,tcp/5005,tcp/5010   grants.0
        monk  kscloud1  udp/1,udp/65535,udp/22              grants.0
        monk  kscloud1  tcp/9100,udp/9100                   grants.0
        monk  kscloud1  tcp/21,tcp/23,tcp/4999,tcp/5011     -
        monk  kscloud1  tcp/9099,tcp/9101,sctp/9100         -
        """,
    ),
    "protocols": (
        (
            '"grants": [{"src": ["tag:monk"], "dst": ["tag:kscloud1"], "ip": ["gre:*", "sctp:80", "50:*", "17:53"]},'
            ' {"src": ["tag:kscloud1"], "dst": ["tag:monk"], "ip": ["*"]}]'
        ),
        """
        monk      kscloud1  gre,esp,sctp/80,udp/53,icmp    grants.0
        monk      kscloud1  tcp/80,sctp/81,ah,udp/54,igmp  -
        kscloud1  monk      tcp/1,udp/1,icmp               grants.1
        kscloud1  monk      gre,sctp/80                    -
        """,
    ),
    "ping alone": (
        '"grants": [{"src": ["tag:monk"], "dst": ["tag:kscloud1"], "ip": ["icmp:*"]}]',
        """
        monk  kscloud1  icmp           grants.0
        monk  kscloud1  tcp/7,udp/7    -
        kscloud1  monk  icmp           -
        """,
    ),
    "an application alone opens no port": (
        '"grants": [{"src": ["tag:monk"], "dst": ["tag:kscloud1"], "app": {"example.com/cap/x": [{}]}}]',
        """
        monk  kscloud1  tcp/80,icmp  -
        """,
    ),
    "a posture counts as met": (
        (
            '"postures": {"posture:new": ["node:os == \'linux\'"]},'
            ' "grants": [{"src": ["ada@example.com"], "dst": ["tag:monk"], "ip": ["tcp:22"],'
            ' "srcPosture": ["posture:new"]}]'
        ),
        """
        laptop  monk  tcp/22  grants.0
        tablet  monk  tcp/22  -
        """,
    ),
    "acls": (
        (
            '"acls": [{"action": "accept", "src": ["tag:monk"], "dst": ["tag:kscloud1:5432,6379", "cloud:9100-9110"]},'
            ' {"action": "accept", "proto": "tcp", "src": ["ada@example.com"], "dst": ["*:22"]},'
            ' {"action": "accept", "proto": "udp", "src": ["group:family"], "dst": ["tag:monk:*"]},'
            ' {"action": "accept", "proto": "47", "src": ["tag:store"], "dst": ["100.64.0.2:*"]}]'
        ),
        """
        monk      kscloud1  tcp/5432,udp/6379,tcp/9100,tcp/9110  acls.0
        monk      kscloud1  tcp/5433,tcp/22,tcp/9111,gre         -
        laptop    kscloud1  tcp/22                               acls.1
        laptop    tablet    tcp/22                               acls.1
        laptop    kscloud1  udp/22,tcp/23                        -
        tablet    monk      udp/1,udp/65535,icmp                 acls.2
        tablet    monk      tcp/1                                -
        nas       kscloud1  gre                                  acls.3
        nas       kscloud1  esp                                  -
        nas       monk      gre                                  -
        """,
    ),
    "grants and acls add up": (
        (
            '"grants": [{"src": ["tag:monk"], "dst": ["tag:kscloud1"], "ip": ["tcp:22"]}],'
            ' "acls": [{"action": "accept", "src": ["tag:monk"], "dst": ["tag:kscloud1:22,23"]}]'
        ),
        """
        monk  kscloud1  tcp/22         grants.0
        monk  kscloud1  tcp/23,udp/22  acls.0
        monk  kscloud1  tcp/24         -
        """,
    ),
    "an empty list of acls": (
        '"acls": []',
        """
        laptop  monk  tcp/22,icmp  -
        """,
    ),
}

TABLE: list[Case] = [case for name, (rules, lines) in _TABLES.items() for case in cases(name, rules, lines)]
