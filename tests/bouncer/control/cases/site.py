"""Cases: the server, its voters and what it keeps."""

from __future__ import annotations

from tests.bouncer.control.cases.case import AGENT, ALICE, KEY, Case, of_alice

CASES = {
    "agent add": Case(
        f"agent add hel '[2001:db8::1]:7000' {KEY} --role witness --primary ircs://192.0.2.9",
        r'# witness hel is paired\n(.*\n)*primary = \["ircs://192.0.2.9"\]\n(.*\n)*mesh = ',
        f"agent add hel 2001:db8::1:7000 {KEY}",
        r"write host:port, or \[v6\]:port",
    ),
    "agent list": Case(
        "agent list",
        r"1\. fra: agent at 192\.0\.2\.1:7000, key muster1:",
        "agent list fra",
        r"one word too many",
        [AGENT],
    ),
    "agent remove": Case(
        "agent remove fra",
        r"fra is a voter no more",
        "agent remove",
        r"NAME is missing",
        [AGENT],
    ),
    "agent quorum": Case(
        "agent quorum 1",
        r"1 of 1 voters must agree.*\none voter alone decides",
        "agent quorum 0",
        r'"0" is not a number of voters; write 1 to 5',
        [AGENT],
    ),
    "cert": Case("cert", r"certificate good: 51d of 64d left, until ", "cert x", r"too many"),
    "ack": Case("ack", r"nothing to acknowledge", "ack x", r"too many"),
    "status": Case(
        "status full",
        r"UP 41d; no agents paired; cert 51d/64d",
        "status full now",
        r"one word too many",
    ),
    "server status": Case(
        "server status",
        r"up 41d, 1 user, 0 clients, 0 of 0 networks connected",
        "server status full",
        r"one word too many",
        [ALICE],
    ),
    "server notice": Case(
        "server notice going down at 5",
        r"said to every client",
        "server notice ' '",
        r"TEXT: it is empty",
    ),
    "server debug": Case(
        "server debug true alice",
        r"the lines of alice are in the bouncer's log for 10m, without what people say",
        "server debug maybe",
        r'"maybe" is neither true nor false',
        [ALICE],
    ),
    "server reload": Case(
        "server reload",
        r"configuration and certificates reloaded",
        "server reload now",
        r"one word too many",
    ),
    "history prune": Case(
        "history prune --older-than 90d",
        r"0 messages removed",
        "history prune --older-than soon",
        r'"soon" is no age; write days, weeks or years',
    ),
    "history redate": Case(
        "history redate",
        r"0 messages were dated in the future, and have the time now at which they came",
        "history redate all",
        r'"all" is one word too many',
    ),
    "history stats": of_alice(
        "history stats alice",
        r"alice: 0 messages, about 0 bytes",
        "history stats alice all",
        r'"all" is one word too many',
    ),
    "help": Case(
        "help network add",
        r"network add .*\n(.*\n)*  --join CHANNELS: ",
        "help netwrk",
        r'there is no "netwrk"',
    ),
    "maintenance now": Case(
        "maintenance now 30min new switch",
        r"m1 08:00-08:30Z, no agents are paired, so nobody was told; .*$",
        "maintenance now soon why",
        r'"soon" is not a duration',
    ),
    "maintenance start": Case(
        "maintenance start 07:00 2h new switch",
        r"m1 07:00-09:00Z, no agents are paired, so nobody was told; .*$",
        "maintenance start teatime 2h new switch",
        r'"teatime" is not a time of day',
    ),
    "maintenance end": Case(
        "maintenance end",
        r"m1 ended, no agents are paired, so nobody was told; .*$",
        "maintenance end m1 m2",
        r"usage: maintenance end",
        before=["maintenance now 30min why"],
    ),
    "maintenance list": Case(
        "maintenance list",
        r"m1 08:00-08:30Z new switch$",
        "maintenance list all",
        r"usage: maintenance list",
        before=["maintenance now 30min new switch"],
    ),
    "standdown": Case(
        "standdown",
        r"no agents are paired, so nobody was told",
        "standdown --force yes",
        r"--force",
    ),
    "hold": Case(
        "hold 2h",
        r"no agents are paired, so nobody was told",
        "hold",
        r"DURATION is missing",
    ),
}
