// What generate_record.mjs writes into header/: whole entries, and what is no header.
//
// Each entry: the body; `decided`, the header fields that are functions of it; `came`, the flags that
// were raised while the record was read from OTLP; `flags`, all that the header states; `place`, what
// its place in the ledger decides; `identity`, left out where the content is all there is.

const ZEROS = "0".repeat(64);
const HASH = "ab".repeat(32);
const salt = (digit) => digit.repeat(32);
const at = (seq, received, more = {}) => ({ seq, prev: seq ? HASH : ZEROS, received, ...more });

const RESOURCE = {
  attributes: { "deployment.environment.name": "production", "service.name": "billing-api" },
};
const TRACE = "5b8efff798038103d269b633813fc60c";

export const BODIES = [
  {
    name: "the article's span",
    came: [],
    flags: [],
    place: at(7, "2026-03-04T05:06:08.000000000Z"),
    identity: ["span", "billing-api", TRACE, "eee19b7ec3c1b174"],
    decided: {
      action: "role_update", environment: "production", event: "user.role.update", kind: "span",
      outcome: "success", service: "billing-api", target_type: "user_permission",
      time: "2026-03-04T05:06:07.000000001Z",
    },
    body: {
      attributes: {
        "audit.action": "role_update", "audit.new_value": "admin", "audit.old_value": "viewer",
        "audit.resource_type": "user_permission", "audit.result": "success",
        "audit.target_user": "bob", "enduser.id": "alice", "enduser.ip": "192.0.2.7",
        "enduser.role": "owner",
      },
      audit: {
        action: "role_update", actor: { id: "alice", roles: ["owner"] },
        change: { new: "admin", old: "viewer" }, outcome: "success",
        source: { id: "192.0.2.7" }, target: { id: "bob", type: "user_permission" },
      },
      kind: "span",
      otlp: {
        end: "2026-03-04T05:06:07.250000000Z", flags: 257, kind: 1, name: "user.role.update",
        span_id: "eee19b7ec3c1b174", start: "2026-03-04T05:06:07.000000001Z", trace_id: TRACE,
      },
      peer: { headers: { "x-audit-pipeline": "soc2" }, transport: "http" },
      resource: RESOURCE,
      salt: salt("a"),
      scope: { name: "audit-service" },
      subject: { actor: "alice", salt: salt("b"), target: "bob" },
    },
  },
  {
    name: "the article's log",
    came: [],
    flags: ["missing_outcome", "missing_source", "missing_target"],
    place: at(8, "2026-03-04T05:06:09.000000000Z"),
    decided: {
      action: "config_change", environment: "production", kind: "log", outcome: "unknown",
      service: "billing-api", time: "2026-03-04T05:06:08.500000000Z",
    },
    body: {
      attributes: {
        "audit.action": "config_change", "audit.change_source": "admin_api",
        "audit.changed_by": "carol", "audit.config_keys_modified": ["debug"],
        "audit.severity": "high",
      },
      audit: { action: "config_change", actor: { id: "carol" } },
      kind: "log",
      otlp: {
        body: "System configuration changed", severity_number: 9, severity_text: "INFO",
        time: "2026-03-04T05:06:08.500000000Z",
      },
      resource: RESOURCE,
      salt: salt("1"),
      scope: { name: "audit.system" },
      subject: { actor: "carol", salt: salt("2") },
    },
  },
  {
    name: "a repetition of it",
    came: [],
    flags: ["duplicate", "missing_outcome", "missing_source", "missing_target"],
    place: at(9, "2026-03-04T05:06:10.000000000Z", { duplicate_of: 8 }),
    decided: {
      action: "config_change", duplicate_of: 8, environment: "production", kind: "log",
      outcome: "unknown", service: "billing-api", time: "2026-03-04T05:06:08.500000000Z",
    },
    body: {
      attributes: {
        "audit.action": "config_change", "audit.change_source": "admin_api",
        "audit.changed_by": "carol", "audit.config_keys_modified": ["debug"],
        "audit.severity": "high",
      },
      audit: { action: "config_change", actor: { id: "carol" } },
      duplicate_of: 8,
      kind: "log",
      otlp: {
        body: "System configuration changed", severity_number: 9, severity_text: "INFO",
        time: "2026-03-04T05:06:08.500000000Z",
      },
      peer: { transport: "grpc" },
      resource: RESOURCE,
      salt: salt("3"),
      scope: { name: "audit.system" },
      subject: { actor: "carol", salt: salt("4") },
    },
  },
  {
    name: "a record that names itself",
    came: ["observed_time"],
    flags: ["observed_time"],
    place: at(10, "2026-03-04T05:06:11.000000000Z"),
    vocabulary: { tenant: "org.id" },
    identity: ["record", "billing-api", "01J0000000000000000000000A"],
    decided: {
      action: "user.login", actor_type: "user", environment: "staging", event: "user.login.failure",
      kind: "log", outcome: "failure", service: "billing-api", target_type: "application",
      tenant: "acme", time: "2026-03-04T05:06:10.000000000Z",
    },
    body: {
      attributes: {
        "audit.action": "user.login", "audit.actor.id": "dave", "audit.actor.type": "user",
        "audit.outcome": "Access-Denied", "audit.record.id": "01J0000000000000000000000A",
        "audit.source.id": "2001:db8::1", "audit.source.type": "address",
        "audit.target.id": "console", "audit.target.type": "application",
        "log.record.uid": "not this one", "org.id": "acme", "session.id": "s-1",
      },
      audit: {
        action: "user.login", actor: { id: "dave", type: "user" }, outcome: "failure",
        reason: "Access-Denied", record_id: "01J0000000000000000000000A", session_id: "s-1",
        source: { id: "2001:db8::1", type: "address" },
        target: { id: "console", type: "application" }, tenant: "acme",
      },
      kind: "log",
      otlp: { event_name: "user.login.failure", observed_time: "2026-03-04T05:06:10.000000000Z" },
      resource: { attributes: { "deployment.environment": "staging", "service.name": "billing-api" } },
      salt: salt("5"),
      scope: {},
      subject: { actor: "dave", actor_type: "user", salt: salt("6"), target: "console" },
    },
  },
  {
    name: "values of every type",
    came: ["duplicate_keys", "invalid_utf8", "raw_value"],
    flags: ["control_characters", "duplicate_keys", "invalid_utf8", "raw_value"],
    place: at(11, "2026-03-04T05:06:12.000000000Z"),
    identity: ["record", "caf\ufffd", "9223372036854775807"],
    decided: {
      action: "\u00fcberweisung", event: "audit", kind: "log", outcome: "failure",
      target_type: "false", time: "2026-03-04T05:06:11.000000000Z",
    },
    withheld: ["service"],
    body: {
      attributes: {
        "$$int": "5", "audit.action": "\u00fcberweisung", "audit.actor.id": "eve\nroot",
        "audit.actor.roles": ["admin", 7, "", null, true], "audit.field": { $bytes: "AA==" },
        "audit.new_value": [1, "b", { $otlp: "CgFh" }], "audit.old_value": 0.000004,
        "audit.record.id": { $int: "9223372036854775807" }, "audit.result": false,
        "audit.source.id": { $utf8: "Y2Fm6Q==" }, "audit.target.id": { $double: "200" },
        "audit.target.type": false, "": "empty key", "\u{1f600}": 1, "\uffff": 2,
      },
      attributes_raw: "CgQKAmFi",
      audit: {
        action: "\u00fcberweisung", actor: { id: "eve\ufffdroot", roles: ["admin", "7", "true"] },
        change: { field: "AA==", new: '[1,"b",{"$otlp":"CgFh"}]', old: "0.000004" },
        outcome: "failure", record_id: "9223372036854775807", source: { id: "caf\ufffd" },
        target: { id: "200", type: "false" },
      },
      kind: "log",
      otlp: { event_name: "audit", time: "2026-03-04T05:06:11.000000000Z" },
      resource: { attributes: { "service.name": { $utf8: "Y2Fm6Q==" } } },
      salt: salt("7"),
      scope: {},
      subject: { actor: "eve\ufffdroot", salt: salt("8"), target: "200" },
    },
  },
  {
    name: "a span whose events tell",
    came: ["invalid_id", "sampled", "truncated"],
    flags: ["invalid_id", "late", "missing_source", "sampled", "truncated"],
    place: at(12, "2026-03-06T05:06:12.000000000Z"),
    decided: {
      action: "export", event: "GET /export", kind: "span", outcome: "success", service: "reports",
      time: "2026-03-04T05:06:11.500000000Z",
    },
    body: {
      attributes: { "audit.actor.id": "unknown", "audit.target.id": "" },
      audit: {
        action: "export", actor: { id: "frank" }, outcome: "success",
        reason: "quarterly report", target: { id: "table/7" },
      },
      kind: "span",
      otlp: {
        dropped_links_count: 2, end: "2026-03-04T05:06:11.500000000Z",
        events: [
          { attributes: { "audit.reason": "quarterly report", "enduser.id": "frank" }, name: "exported" },
          { name: "nothing to say" },
          { attributes: { "audit.action": "export", "audit.actor.id": "grace", "audit.target.id": "table/7" } },
        ],
        name: "GET /export", span_id: "eee19b7ec3c1b174", status: { code: 1 },
        trace_id: "0".repeat(32), trace_state: "ot=th:c",
      },
      resource: { attributes: { "service.name": "reports" } },
      salt: salt("9"),
      scope: {},
      subject: { actor: "frank", salt: salt("c"), target: "table/7" },
    },
  },
  {
    name: "what no header may show",
    came: [],
    vocabulary: { tenant: "org.id" },
    flags: [
      "control_characters", "missing_source", "withheld_action", "withheld_actor_type",
      "withheld_environment", "withheld_event", "withheld_service", "withheld_target_type",
      "withheld_tenant",
    ],
    place: at(13, "2026-03-04T05:06:12.000000000Z"),
    decided: { kind: "log", outcome: "success", time: "2026-03-04T05:06:12.000000000Z" },
    body: {
      attributes: {
        "audit.action": "mail bob@example.org", "audit.actor.id": "heidi",
        "audit.actor.type": 'a"b', "audit.result": "ok", "audit.target.id": "x\u0000y".replace("\u0000", "\u0001"),
        "audit.target.type": "\u00e9".repeat(61),
      },
      audit: {
        action: "mail bob@example.org", actor: { id: "heidi", type: 'a"b' }, outcome: "success",
        target: { id: "x\ufffdy", type: "\u00e9".repeat(61) }, tenant: "acme\u202ecorp",
      },
      kind: "log",
      otlp: { event_name: "a".repeat(121), time: "2026-03-04T05:06:12.000000000Z" },
      resource: {
        attributes: {
          "deployment.environment.name": "pro\\duction", "org.id": "acme\u202ecorp",
          "service.name": "billing\u0007",
        },
      },
      salt: salt("d"),
      scope: {},
      subject: { actor: "heidi", actor_type: 'a"b', salt: salt("e"), target: "x\ufffdy" },
    },
  },
  {
    name: "tokens at their longest",
    came: [],
    flags: ["clock_skew", "missing_actor", "missing_source", "missing_target"],
    place: at(9007199254740991, "2026-03-04T05:06:10.999999999Z"),
    decided: {
      action: "\u00e9".repeat(60), environment: "e".repeat(120), event: "\u{1f600}".repeat(30),
      kind: "span", outcome: "success", service: " ", target_type: "t".repeat(120),
      time: "2026-03-04T05:07:11.000000000Z",
    },
    body: {
      attributes: {
        "audit.action": "\u00e9".repeat(60), "audit.success": true, "audit.target.type": "t".repeat(120),
      },
      audit: { action: "\u00e9".repeat(60), outcome: "success", target: { type: "t".repeat(120) } },
      kind: "span",
      otlp: { name: "\u{1f600}".repeat(30), start: "2026-03-04T05:07:11.000000000Z" },
      resource: { attributes: { "deployment.environment.name": "e".repeat(120), "service.name": " " } },
      salt: salt("f"),
      scope: {},
      subject: { salt: salt("0") },
    },
  },
  {
    name: "a record that says nothing",
    came: [],
    flags: [
      "missing_action", "missing_actor", "missing_outcome", "missing_source", "missing_target",
      "missing_time",
    ],
    place: at(14, "2026-03-04T05:06:13.000000000Z"),
    decided: { event: "audit", kind: "log", outcome: "unknown" },
    body: {
      attributes: { "event.name": "audit" },
      audit: {},
      kind: "log",
      otlp: {},
      resource: { attributes: {} },
      salt: salt("a"),
      scope: {},
      subject: { salt: salt("a") },
    },
  },
  {
    name: "genesis",
    came: [],
    flags: [],
    place: at(0, "2026-03-04T05:06:00.000000000Z"),
    decided: { action: "ledger.genesis", kind: "ledger", time: "2026-03-04T05:06:00.000000000Z" },
    body: {
      event: {
        hashes: { body: "sha3-256", chain: "sha3-256", head: "ed25519", tree: "rfc6962-sha-256" },
        log_vkey: "billing/0123456789abcdef+11111111+AQ==", name: "genesis",
        origin: "billing/0123456789abcdef", previous: null, retention: {}, schema_sha3: HASH,
        select: { attributes: ["audit.*"], except: ["audit.integrity.*"], names: ["audit", "audit.*"] },
        select_digest: HASH, time: "2026-03-04T05:06:00.000000000Z", version: "0.1.0",
        vkey: "billing/0123456789abcdef+00000000+AQ==",
      },
      kind: "ledger",
      salt: salt("0"),
    },
  },
  {
    name: "heartbeat",
    came: [],
    flags: ["clock_held"],
    place: at(15, "2026-03-04T05:07:00.000000000Z"),
    decided: { action: "ledger.heartbeat", kind: "ledger", time: "2026-03-04T05:07:00.000000000Z" },
    body: {
      event: {
        from: 0, name: "heartbeat", refused: 0,
        services: { $$odd: { conflict: 0, duplicate: 1, received: 9, skipped: 0, stored: 8 } },
        tallies: [["", "unknown", 1], ["ledger.genesis", "", 1], ["role_update", "success", 1]],
        time: "2026-03-04T05:07:00.000000000Z", to: 14, unauthenticated: 0, undecodable: 0,
      },
      kind: "ledger",
      salt: salt("1"),
    },
  },
];

// --- mutants: [entry, name, (text, fields, jcs) -> text, reason] ------------------------------------

const change = (key, value) => (text, fields, jcs) => jcs({ ...fields, [key]: value });
const drop = (key) => (text, fields, jcs) => {
  const { [key]: _, ...rest } = fields;
  return jcs(rest);
};
const swap = (from, to) => (text) => text.replace(from, to);
const SPAN = "the article's span";
const LOG = "the article's log";

export const HEADER_MUTANTS = [
  [SPAN, "cut off", (text) => text.slice(0, -1), "not JSON"],
  [SPAN, "trailing garbage", (text) => text + "x", "not JSON"],
  [SPAN, "trailing newline", (text) => text + "\n", "spelling"],
  [SPAN, "a space", swap(":", ": "), "spelling"],
  [SPAN, "a needless escape", swap("role_update", "\\u0072ole_update"), "spelling"],
  [SPAN, "keys out of order", swap('"seq":7,"service":"billing-api"', '"service":"billing-api","seq":7'), "key order"],
  [SPAN, "a repeated key", swap('"seq":7', '"seq":7,"seq":7'), "repeated key"],
  [SPAN, "seq with a fraction", swap('"seq":7', '"seq":7.0'), "number form"],
  [SPAN, "seq 07", swap('"seq":7', '"seq":07'), "not JSON"],
  [SPAN, "seq -0", swap('"seq":7', '"seq":-0'), "number form"],
  [SPAN, "an array", (text) => "[" + text + "]", "value"],
  [SPAN, "null", () => "null", "value"],
  [SPAN, "an unknown key", change("actor", "alice"), "key"],
  [SPAN, "an unknown key at the end", change("w", 1), "key"],
  ...["body", "flags", "kind", "prev", "received", "seq", "v"].map((key) => [SPAN, `without ${key}`, drop(key), "key"]),
  ...["id", "outcome", "subject"].map((key) => [SPAN, `without ${key}`, drop(key), "key"]),
  [SPAN, "v 0", change("v", 0), "value"],
  [SPAN, 'v "1"', change("v", "1"), "value"],
  [SPAN, "v 2", change("v", 2), "newer"],
  [SPAN, "v 2 with keys of its own", (text, fields, jcs) => jcs({ ...fields, v: 2, zone: "x" }), "newer"],
  [SPAN, "seq negative", change("seq", -1), "value"],
  [SPAN, "seq as text", change("seq", "7"), "value"],
  [SPAN, "seq 2**53", swap('"seq":7', '"seq":9007199254740992'), "value"],
  [SPAN, "prev in capitals", change("prev", HASH.toUpperCase()), "value"],
  [SPAN, "prev too short", change("prev", HASH.slice(2)), "value"],
  [SPAN, "body too long", change("body", HASH + "ab"), "value"],
  [SPAN, "subject no hash", change("subject", "alice"), "value"],
  [SPAN, "id too long", change("id", "0123456789abcdef0"), "value"],
  [SPAN, "id in capitals", change("id", "0123456789ABCDEF"), "value"],
  [SPAN, "an unknown kind", change("kind", "metric"), "value"],
  [SPAN, "an unknown outcome", change("outcome", "denied"), "value"],
  [SPAN, "outcome null", change("outcome", null), "value"],
  [SPAN, "time in milliseconds", change("time", "2026-03-04T05:06:07.000Z"), "value"],
  [SPAN, "time with an offset", change("time", "2026-03-04T05:06:07.000000001+00:00"), "value"],
  [SPAN, "time in small letters", change("time", "2026-03-04t05:06:07.000000001z"), "value"],
  [SPAN, "time on 30 February", change("time", "2026-02-30T05:06:07.000000001Z"), "value"],
  [SPAN, "time with a leap second", change("time", "2026-12-31T23:59:60.000000000Z"), "value"],
  [SPAN, "time before 1970", change("time", "1969-12-31T23:59:59.999999999Z"), "value"],
  [SPAN, "time after 2**64 ns", change("time", "2554-07-21T23:34:34.000000000Z"), "value"],
  [SPAN, "received at 24:00", change("received", "2026-03-04T24:00:00.000000000Z"), "value"],
  [SPAN, "received as a number", change("received", 1772600768), "value"],
  [SPAN, "an empty token", change("service", ""), "value"],
  [SPAN, "a token of 121 bytes", change("service", "s".repeat(121)), "value"],
  [SPAN, "a token of 122 bytes in 61 characters", change("service", "\u00e9".repeat(61)), "value"],
  [SPAN, "a token with a quote", change("service", 'a"b'), "value"],
  [SPAN, "a token with a backslash", change("service", "a\\b"), "value"],
  [SPAN, "a token with a mail address", change("action", "mail bob@example.org"), "value"],
  [SPAN, "a token with a newline", change("event", "a\nb"), "value"],
  [SPAN, "a token with DEL", change("event", "a\u007fb"), "value"],
  [SPAN, "a token with C1", change("event", "a\u0085b"), "value"],
  [SPAN, "a token with a zero width space", change("tenant", "a\u200bb"), "value"],
  [SPAN, "a token turned around", change("tenant", "a\u202eb"), "value"],
  [SPAN, "a token with a word joiner", change("tenant", "a\u2060b"), "value"],
  [SPAN, "a token with a byte order mark", change("tenant", "\ufeffa"), "value"],
  [SPAN, "a token that is a number", change("target_type", 7), "value"],
  [SPAN, "flags null", change("flags", null), "value"],
  [SPAN, "flags no list", change("flags", "late"), "value"],
  [SPAN, "a flag in capitals", change("flags", ["Late"]), "value"],
  [SPAN, "an empty flag", change("flags", [""]), "value"],
  [SPAN, "a flag of 33 characters", change("flags", ["f".repeat(33)]), "value"],
  [SPAN, "more than 4095 bytes", change("flags", Array.from({ length: 130 }, (_, n) => String(n).padStart(32, "f")).sort()), "value"],
  [SPAN, "flags out of order", change("flags", ["sampled", "late"]), "flags"],
  [SPAN, "a flag twice", change("flags", ["late", "late"]), "flags"],
  [SPAN, "no time, no flag", drop("time"), "rule"],
  [SPAN, "time and missing_time", change("flags", ["missing_time"]), "rule"],
  [SPAN, "unknown without flag", change("outcome", "unknown"), "rule"],
  [SPAN, "missing_outcome and an outcome", change("flags", ["missing_outcome"]), "rule"],
  [LOG, "an outcome and missing_outcome", change("outcome", "success"), "rule"],
  [SPAN, "no action, no flag", drop("action"), "rule"],
  [SPAN, "a service that is withheld", change("flags", ["withheld_service"]), "rule"],
  [SPAN, "flag duplicate without duplicate_of", change("flags", ["duplicate"]), "rule"],
  [SPAN, "duplicate_of without flag", change("duplicate_of", 3), "rule"],
  ["a repetition of it", "of itself", change("duplicate_of", 9), "rule"],
  ["a repetition of it", "of a later one", change("duplicate_of", 10), "rule"],
  ["a repetition of it", "of -1", change("duplicate_of", -1), "value"],
  ["genesis", "with an id", change("id", "0123456789abcdef"), "key"],
  ["genesis", "with an outcome", change("outcome", "success"), "key"],
  ["genesis", "with a subject", change("subject", HASH), "key"],
  ["genesis", "with a service", change("service", "s"), "key"],
  ["genesis", "without time", drop("time"), "rule"],
  ["genesis", "without action", drop("action"), "rule"],
  ["genesis", "with another action", change("action", "genesis"), "rule"],
  ["genesis", "as a log", change("kind", "log"), "key"],
];

// --- headers that are well formed and say something else than their body ----------------------------

export const RELABELLED = [
  [SPAN, "action", "role_read"],
  [SPAN, "action", undefined],
  [SPAN, "actor_type", "user"],
  [SPAN, "environment", "staging"],
  [SPAN, "event", "user.role.read"],
  [SPAN, "kind", "log"],
  [SPAN, "outcome", "failure"],
  [SPAN, "service", "other"],
  [SPAN, "target_type", "user"],
  [SPAN, "target_type", undefined],
  [SPAN, "tenant", "acme"],
  [SPAN, "time", "2026-03-04T05:06:07.000000002Z"],
  ["a repetition of it", "duplicate_of", 7],
  ["a repetition of it", "duplicate_of", undefined],
  ["a record that names itself", "tenant", undefined],
  ["what no header may show", "service", "billing"],
  ["genesis", "action", "ledger.start"],
  ["heartbeat", "time", "2026-03-04T05:07:00.000000001Z"],
];
