// Golden vectors for canonical form and header, made by another language than the product's.
//
//     node tests/vectors/generate_record.mjs
//
// writes canonical/*.json and header/*.json beside this file. JavaScript is what RFC 8785 takes its
// number form and its key order from, so that JSON.stringify and sort() are the specification here.
// Texts are written by hand; the code below derives them once more and stops where the two differ.

import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { BODIES, HEADER_MUTANTS, RELABELLED } from "./record_entries.mjs";
import { REFUSED_TEXTS, TEXTS, VALUES } from "./record_values.mjs";

const HERE = import.meta.dirname;
const MADE_BY = "generate_record.mjs: written by hand, derived once more by Node";
const sha3 = (text) => createHash("sha3-256").update(text, "utf8").digest("hex");
const base64 = (bytes) => Buffer.from(bytes).toString("base64");

function write(name, cases, more = {}) {
  const text = JSON.stringify({ made_by: MADE_BY, ...more, cases }, null, 1);
  writeFileSync(join(HERE, name), text + "\n");
}

/** RFC 8785 of a parsed JSON value. */
export function jcs(value) {
  if (Array.isArray(value)) return "[" + value.map(jcs).join(",") + "]";
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const keys = Object.keys(value).sort(); // by UTF-16 code units
  return "{" + keys.map((key) => JSON.stringify(key) + ":" + jcs(value[key])).join(",") + "}";
}

// --- OTLP values ---------------------------------------------------------------------------------

function string(bytes, flags) {
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    text = "\0";
  }
  if (!text.includes("\0")) return JSON.stringify(text);
  flags.add("invalid_utf8");
  return null;
}

function double(hex) {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, BigInt("0x" + hex));
  const number = view.getFloat64(0);
  if (Number.isNaN(number)) return hex === "7ff8000000000000" ? "NaN" : "NaN:" + hex;
  if (Object.is(number, -0)) return "-0";
  return Number.isFinite(number) && !Number.isInteger(number) ? number : String(number);
}

function canonical(value, flags) {
  const [[kind, inner]] = Object.entries(value);
  switch (kind) {
    case "null": return "null";
    case "bool": return String(inner);
    case "string": {
      const bytes = Buffer.from(inner, "base64");
      return string(bytes, flags) ?? `{"$utf8":"${base64(bytes)}"}`;
    }
    case "int": {
      const number = BigInt(inner);
      const most = 2n ** 53n - 1n;
      return number > most || number < -most ? `{"$int":"${number}"}` : String(number);
    }
    case "double": {
      const number = double(inner);
      return typeof number === "number" ? JSON.stringify(number) : `{"$double":"${number}"}`;
    }
    case "bytes": return `{"$bytes":"${inner}"}`;
    case "protobuf": flags.add("raw_value"); return `{"$otlp":"${inner}"}`;
    case "array": return "[" + inner.map((item) => canonical(item, flags)).join(",") + "]";
    case "map": {
      const members = inner.map(([key, item]) => {
        const bytes = Buffer.from(key, "base64");
        const text = string(bytes, flags);
        const name = text === null ? "$utf8:" + key : JSON.parse(text).replace(/^\$/, "$$$$");
        return [name, canonical(item, flags)];
      });
      members.sort(([one], [other]) => (one < other ? -1 : 1));
      return "{" + members.map(([key, text]) => JSON.stringify(key) + ":" + text).join(",") + "}";
    }
    default: throw new Error(kind);
  }
}

const values = VALUES.map(([name, value, text, flags = []]) => {
  const raised = new Set();
  assert.equal(canonical(value, raised), text, name);
  assert.deepEqual([...raised].sort(), flags, name);
  return { name, value, text, flags };
});
write("canonical/values.json", values);

// --- texts ---------------------------------------------------------------------------------------

const texts = TEXTS.map(([name, text]) => {
  assert.equal(jcs(JSON.parse(text)), text, name);
  return { name, base64: base64(text), reason: null };
});
for (const [name, text, reason] of REFUSED_TEXTS) {
  let again = null;
  try {
    again = jcs(JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.from(text))));
  } catch {
    assert.equal(reason, "not JSON", name);
  }
  const ours = name.startsWith("ours: "); // canonical by RFC 8785, not by ours
  assert.equal(again !== null && Buffer.from(again).equals(Buffer.from(text)), ours, name);
  texts.push({ name, base64: base64(text), reason });
}
write("canonical/texts.json", texts);

// --- entries -------------------------------------------------------------------------------------

const DEDUP_KEY = Buffer.alloc(32, 7);
const tag = (identity) =>
  createHmac("sha256", DEDUP_KEY).update(jcs(identity)).digest("hex").slice(0, 16);

function entry({ name, body, came, decided, place, flags, identity, vocabulary, withheld }) {
  const text = jcs(body);
  assert.equal(decided.kind, body.kind);
  flags = [...flags, ...(withheld ?? []).map((key) => "withheld_" + key)].sort();
  const header = { ...decided, ...place, v: 1, body: sha3(text), flags };
  if (body.kind !== "ledger") {
    header.subject = sha3(jcs(body.subject));
    if (identity === undefined) {
      const { attributes, attributes_raw, kind, otlp, resource, scope } = body;
      const said = { attributes, kind, otlp, resource, scope };
      if (attributes_raw !== undefined) said.attributes_raw = attributes_raw;
      identity = ["content", sha3(jcs(said))];
    }
    header.id = tag(identity);
  }
  const headerText = jcs(header);
  return {
    name, body: text, header: headerText, hash: sha3(headerText), came, decided,
    identity: identity === undefined ? null : jcs(identity),
    vocabulary: vocabulary ?? {},
  };
}

const entries = BODIES.map(entry);
write("header/entries.json", entries, { dedup_key: DEDUP_KEY.toString("hex") });

const good = new Map(entries.map((one) => [one.name, one]));
const headers = entries.map(({ name, header }) => ({ name, header, reason: null }));
for (const [of, name, mutate, reason] of HEADER_MUTANTS) {
  const before = good.get(of).header;
  const after = mutate(before, JSON.parse(before), jcs);
  assert.notEqual(after, before, name);
  headers.push({ name: `${of}: ${name}`, header: after, reason });
}
write("header/headers.json", headers);

const relabelled = RELABELLED.map(([of, field, value]) => {
  const { body, header } = good.get(of);
  const fields = JSON.parse(header);
  assert.notEqual(fields[field], value, field);
  if (value === undefined) delete fields[field];
  else fields[field] = value;
  return { name: `${of}: ${field}`, field, body, header: jcs(fields) };
});
write("header/relabelled.json", relabelled);
