import type { Edit } from './edits.ts';

/** Stands in a record for what may not be shown. */
export const HIDDEN = Symbol('hidden');
/** What a script finds when it writes is shown: of grants and members alone, which hold no secret. */
export const AS_FOUND = Symbol('as found');

/** One text of a record: JSON, and how long it was where only its beginning is kept. */
export interface ShownText {
  readonly json: string;
  /** In characters; undefined: it is whole. */
  readonly cutFrom: number | undefined;
}

/** What goes on record with one edit. Whether it is a creation, an update or a deletion, the script sees by itself. */
export interface Described {
  readonly kind: string;
  readonly name: string;
  /** Undefined: nothing stands there. */
  readonly before: ShownText | typeof HIDDEN | typeof AS_FOUND | undefined;
  readonly after: ShownText | undefined;
  /** Masked fields whose stored text becomes another. */
  readonly rewritten?: readonly string[];
}

/** How the edits of one change go on record, in the very script that makes them. */
export interface Trail {
  /** The stream's key. */
  readonly stream: string;
  /** Records that are older than this, in ms of Redis' clock, are dropped; undefined: none is. */
  readonly keptForMs: number | undefined;
  /** Who and how: fields of every record. */
  readonly common: Readonly<Record<string, string>>;
  /** For each edit what it says of it; undefined: nothing. Edits of one set's members share the first one's. */
  describe(edits: readonly Edit[]): readonly (Described | undefined)[];
}

/** A text of a record holds at most so much of what was written: characters, in a script bytes. */
export const SHOWN_AT_MOST = 16_384;

/** What is shown in place of a secret. */
const MASK = '"********"';

/**
 * The beginning of a script that records. KEYS[1] is the stream; ARGV: for how many ms records are kept, or nothing; the
 * number of common strings; those; from `first` on what is the script's own. `record` writes one: `at` is the place in ARGV
 * of a number and so many strings, fields and values; below 0 for nothing to record.
 */
export const RECORDING = `
local AT_MOST = ${SHOWN_AT_MOST}
local first = 3 + tonumber(ARGV[2])
local trimmed = ARGV[1] == ''
-- A key of another type is found before anything is written.
redis.call('XLEN', KEYS[1])
local function add(entry, name, value)
  entry[#entry + 1] = name
  entry[#entry + 1] = value
end
local function record(at, action, more)
  local count = tonumber(ARGV[at])
  if count < 0 then return end
  local entry = {'XADD', KEYS[1]}
  if not trimmed then
    local now = redis.call('TIME')
    local oldest = math.max(0, tonumber(now[1]) * 1000 - tonumber(ARGV[1]))
    add(entry, 'MINID', '~')
    entry[#entry + 1] = string.format('%.0f', oldest)
    trimmed = true
  end
  add(entry, '*', 'action')
  entry[#entry + 1] = action
  for i = 3, first - 1 do entry[#entry + 1] = ARGV[i] end
  for i = at + 1, at + count do entry[#entry + 1] = ARGV[i] end
  for name, value in pairs(more) do if value then add(entry, name, value) end end
  redis.call(unpack(entry))
end
-- Ids of accounts are not shown; of a text that is too long, the beginning is.
local function shown(text)
  text = string.gsub(text, '(arn:aws[%w-]*:[%w-]*:[%w-]*:)%d%d%d%d%d%d%d%d%d%d%d%d', '%1************')
  if #text <= AT_MOST then return text, false end
  return cjson.encode(string.sub(text, 1, AT_MOST)), tostring(#text)
end
`;

/** The arguments with which such a script begins. */
export function recordingArgs({ keptForMs, common }: Trail): (string | number)[] {
  const strings = Object.entries(common).flat();
  return [keptForMs ?? '', strings.length, ...strings];
}

/** How what stood there is shown, for the script: `=` and a text, `-` nothing, `?` as it is found, `#` masked. */
export function beforeArg(described: Described | undefined): string {
  const before = described?.before;
  if (before === undefined) return '-';
  if (before === AS_FOUND) return '?';
  return before === HIDDEN ? `=${MASK}` : `=${before.json}`;
}

/** The number and strings of one record. */
export function recordArgs(described: Described | undefined): (string | number)[] {
  if (described === undefined) return [-1];
  const { kind, name, before, after, rewritten = [] } = described;
  const fields: Record<string, string> = { kind, name };
  if (after !== undefined) fields['after'] = after.json;
  if (after?.cutFrom !== undefined) fields['afterCut'] = String(after.cutFrom);
  if (typeof before === 'object' && before.cutFrom !== undefined) fields['beforeCut'] = String(before.cutFrom);
  if (rewritten.length > 0) fields['rewritten'] = rewritten.join(',');
  const strings = Object.entries(fields).flat();
  return [strings.length, ...strings];
}
