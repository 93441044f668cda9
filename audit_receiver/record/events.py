"""The receiver's own records of format 1: which there are, and what each of them states.

A body's `event` object has these fields, and `name` and `time` besides. Later versions may add
events, incidents and fields; none is renamed. `ledger` and `service` fill the values in.
"""

EVENTS: dict[str, dict[str, str]] = {
    "genesis": {
        "hashes": "which hash is used for what: body, chain, head, tree",
        "log_vkey": "verifier key of the log key, which signs published checkpoints besides",
        "lost": "{anchor, origin, size, root} of each checkpoint of a lost ledger in its place",
        "reason": "why it was begun in place of a lost one, empty if it was not",
        "origin": "the tree's name, `<name>/<incarnation>`, first line of every head",
        "previous": "origin, size, root, last hash of the ledger that this one continues, or null",
        "retention": "how long bodies are kept, {} where nothing is decided",
        "schema_sha3": "digest of the database schema",
        "select": "the selection rule: attributes, except, names",
        "select_digest": "SHA3-256 of the canonical text of the rule",
        "version": "version of the program",
        "vkey": "verifier key (C2SP) of the first key epoch",
    },
    "start": {
        "boot_id": "the kernel's name for this boot, empty where there is none",
        "clean": "whether the run before ended with `stop`",
        "config_digest": "digest of the configuration",
        "version": "version of the program",
    },
    "stop": {},
    "heartbeat": {
        "from": "first seq that is counted",
        "to": "last seq that is counted, the one before this entry",
        "services": "by service name: received, stored, skipped, duplicate, conflict",
        "tallies": "entries from `from` to `to` as [action, outcome, count]",
        "undecodable": "requests that could not be decoded",
        "refused": "requests that were answered with an error though they could be decoded",
        "unauthenticated": "requests without the credentials asked for",
    },
    "config": {
        "changed": "keys whose value is another one than in the `config` entry before",
        "config": "the configuration, secrets as digests",
        "digest": "digest of the configuration",
        "redact_digest": "SHA3-256 of the canonical text of all rules of redaction",
    },
    "key": {
        "reason": "why: scheduled, or an operator's words",
        "vkey": "verifier key of the epoch that begins behind the head over this entry",
    },
    "recover": {
        "log_vkey": "verifier key of the log key from here on",
        "lost": "{anchor, origin, size, root} of each checkpoint outside that is not held any more",
        "origin": "the tree's name from here on",
        "reason": "why, in an operator's words",
        "root": "of the last signed head before, 64 hex digits",
        "signature": "of the key before over the `recover/v1` text, base64, empty if it is lost",
        "size": "of that head; entries between it and this one were never signed",
        "vkey": "verifier key of the key epoch that begins with this entry",
    },
    "close": {"reason": "why the ledger is continued in another file; nothing follows"},
    "schema": {
        "new": "digest of the database schema from here on",
        "old": "its digest before",
    },
    "anchor": {
        "anchor": "its name in the configuration",
        "kind": "its type: stdout, file, ...",
        "reason": "why a checkpoint is not kept, empty where it is",
        "size": "of the newest checkpoint that it keeps, 0 if it keeps none since the start",
        "state": "on, failing, conflict (it holds another history), or off",
    },
    "erase": {
        "asked_by": "uid and user of the process that asked, where it is known",
        "authoriser": "on whose word",
        "code": "reason code",
        "count": "how many bodies",
        "ranges": "[first seq, last seq] for each range whose bodies may be gone from here on",
        "reason": "why, in words; never who",
    },
    "prune": {
        "asked_by": "uid and user of the process that asked, where it is known",
        "authoriser": "on whose word",
        "code": "reason code, where one was given",
        "count": "how many bodies",
        "policy": "the policy that lets them go",
        "ranges": "[first seq, last seq] for each range whose bodies may be gone from here on",
        "reason": "why, in words",
    },
    "hold": {
        "asked_by": "uid and user of the process that asked, where it is known",
        "authoriser": "on whose word",
        "code": "reason code, where one was given",
        "hold": "name of the hold",
        "ranges": "of `add`: [first seq, last seq] for each range that must stay",
        "reason": "why, in words",
        "state": "add or release",
    },
    "retention": {
        "asked_by": "uid and user of the process that asked, where it is known",
        "authoriser": "on whose word",
        "code": "reason code, where one was given",
        "policy": "how long bodies are kept from here on, {} for ever",
        "reason": "why, in words",
    },
    "deleted": {
        "count": "how many bodies are gone",
        "entries": "the erase and prune entries of which nothing is left to do",
    },
    "check": {
        "findings": "what does not hold, the first 20, as [kind, first seq, last seq]",
        "result": "holds, does not hold, could not judge, or failed",
        "seconds": "how long the self-check took",
        "to": "last seq that it checked, -1 if it failed",
    },
    "incident": {
        "incident": "which one it is",
        "held_back": "how many of the same kind came too fast to be recorded one by one",
    },
    "read": {
        "command": "query, search or export",
        "arguments": "what was asked",
        "uid": "user id of the process that asked",
        "gid": "its group id",
        "pid": "its process id",
        "user": "the user's name",
    },
}

INCIDENTS: dict[str, dict[str, str]] = {
    "append_failed": {
        "digest": "SHA3-256 of the bodies that could not be stored, joined by newlines",
        "error": "type of the error",
        "events": "own records that could not be stored",
        "records": "how many records the request had",
    },
    "clock_accepted": {"last": "time of the last entry before an operator confirmed the clock"},
    "clock_back": {
        "last": "time of the last entry",
        "wall": "what the wall clock said, more than a second before it",
    },
    "conflict": {"entries": "[seq, seq of the entry that it contradicts] for each"},
    "refused_conflict": {
        "records": "[record id, integrity hash that is kept, integrity hash that came] for each"
    },
    "anchor_conflict": {
        "anchor": "which one holds another history of this ledger",
        "reason": "what it says",
    },
    "foreign_write": {
        "reason": "what is not as we left it",
        "since": "when it was seen",
        "size": "entries at that time; somebody else wrote, and changed nothing of ours",
    },
    "key_not_rotated": {"reason": "why there is no new key yet; it is tried again"},
    "old_key_kept": {"reason": "what of the key before could not be destroyed as it should"},
    "unavailable": {
        "reason": "why nothing could be stored",
        "since": "when that began",
    },
    "unclean_stop": {},
    "undecodable": {
        "error": "what is wrong with the request",
        "head": "its first 4 KiB, left out where something in it would have been redacted",
        "sha256": "digest of all of it",
        "signal": "traces or logs",
        "size": "its length in bytes",
        "transport": "http or grpc",
    },
}
