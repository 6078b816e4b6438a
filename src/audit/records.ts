import { z } from 'zod';
import { HASH_KINDS } from '../redis/keys.ts';

/** Of what there are records: those of the catalog, what only administrators read, and whatever else. */
export const AUDIT_KINDS = [
  ...HASH_KINDS,
  ...(['members', 'grants', 'key-hashes', 'signing-keys', 'bootstrap', 'other'] as const),
] as const;
export const ACTIONS = ['create', 'update', 'delete'] as const;

const NO_ENTRY_ID = 'the id of a record, such as 1764172800000-0';

/** Where in the stream a record stands, in two numbers of 64 bits: by Redis' clock in milliseconds, and the how-manieth of that millisecond. */
export const entryId = z
  .string()
  .regex(/^\d{1,20}-\d{1,20}$/, NO_ENTRY_ID)
  .refine((id) => id.split('-').every((part) => !/^\d{1,20}$/.test(part) || BigInt(part) < 1n << 64n), NO_ENTRY_ID);

/** One record of a change: what became of one record, grant or set of members. */
export const changeRecord = z.object({
  id: entryId.describe('Its place in the stream: milliseconds of Redis’ clock, and a number.'),
  at: z.string().describe('When, by Redis’ clock (ISO 8601).'),
  change: z.string().describe('Common to all records of one request, or of one run of a command.'),
  action: z
    .enum([...ACTIONS, 'unknown'])
    .describe('`create`, `update` or `delete`; `unknown`: not written by this service.'),
  kind: z.string().describe('Of what: `integrations`, `members`, `grants`, …'),
  name: z.string().describe('The record’s; of a grant `SUBJECT → TARGET`, of members the group’s.'),
  before: z
    .unknown()
    .optional()
    .describe('What stood there, secrets masked; of members those who left. Absent: nothing.'),
  after: z.unknown().optional().describe('What stands there now; of members those who came. Absent: nothing.'),
  beforeCut: z.number().optional().describe('`before` is only its beginning: how long it was, or how many.'),
  afterCut: z.number().optional().describe('The same of `after`.'),
  rewritten: z.array(z.string()).optional().describe('Masked fields whose stored text became another.'),
  subject: z.string().optional().describe('Who, proven by a token: `USER:app:…`. Absent for a command.'),
  accessKey: z.string().optional().describe('The id of the access key that made the token.'),
  via: z.string().describe('The route, or the command.'),
  label: z.string().optional().describe('Of a command `user@host` of its operating system, which proves nothing.'),
});
export type ChangeRecord = z.infer<typeof changeRecord>;

/** One denial, or how many more there were of its kind. */
export const denialRecord = z.object({
  id: entryId.describe('Its place in the stream.'),
  at: z.string().describe('When it was written, by Redis’ clock (ISO 8601).'),
  count: z.number().describe('How many: 1, or of a minute’s further ones of this kind their number.'),
  since: z.string().optional().describe('Of further ones the beginning of their minute; absent for a single one.'),
  subject: z.string().describe('Who; empty where nobody could be named.'),
  source: z.string().describe('Which source named the subject; `api`: a caller of the admin API.'),
  target: z.string().describe('What was asked for: as `can` takes it, or a route of the admin API.'),
  missing: z.string().describe('The grant that would have allowed it, or why nobody could be named.'),
  mode: z.string().describe('`enforce`, or `audit`: it was let pass.'),
  workflowId: z.string().describe('Where in Conductor; empty elsewhere, and of further ones.'),
  workflowType: z.string().describe('The same.'),
  taskId: z.string().describe('The same.'),
});
export type DenialRecord = z.infer<typeof denialRecord>;

/** An entry of a stream, as Redis answers it. */
export type StreamEntry = readonly [id: string, fields: readonly string[]];

/** Whatever stands there: whoever may write Redis may have written it by hand. */
export function readChange(entry: StreamEntry): ChangeRecord {
  const { id, at, text } = fieldsOf(entry);
  const action = ACTIONS.find((one) => one === text('action')) ?? 'unknown';
  return withoutAbsent({
    ...{ id, at, change: text('change') ?? '', action, kind: text('kind') ?? '', name: text('name') ?? '' },
    before: parsedOf(text('before')),
    after: parsedOf(text('after')),
    beforeCut: numberOf(text('beforeCut')),
    afterCut: numberOf(text('afterCut')),
    rewritten: text('rewritten')?.split(','),
    subject: text('subject'),
    accessKey: text('accessKey'),
    via: text('via') ?? '',
    label: text('label'),
  });
}

/** Entries of earlier versions have no count: each was one denial. */
export function readDenial(entry: StreamEntry): DenialRecord {
  const { id, at, text } = fieldsOf(entry);
  const since = text('since');
  const names = ['subject', 'source', 'target', 'missing', 'mode', 'workflowId', 'workflowType', 'taskId'] as const;
  const texts = Object.fromEntries(names.map((name) => [name, text(name) ?? ''])) as Record<
    (typeof names)[number],
    string
  >;
  return withoutAbsent({
    id,
    at,
    count: numberOf(text('count')) ?? 1,
    since: since === '' ? undefined : since,
    ...texts,
  });
}

function fieldsOf([id, list]: StreamEntry) {
  const fields = new Map<string, string>();
  for (let at = 0; at + 1 < list.length; at += 2) fields.set(list[at] ?? '', list[at + 1] ?? '');
  const ms = Number(id.split('-')[0]);
  // A date holds no more than this; an id may have been written by hand.
  const at = ms <= 8.64e15 ? new Date(ms).toISOString() : '';
  return { id, at, text: (name: string): string | undefined => fields.get(name) };
}

function parsedOf(json: string | undefined): unknown {
  if (json === undefined) return undefined;
  try {
    return JSON.parse(json);
  } catch {
    return json;
  }
}

function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function withoutAbsent<T extends object>(record: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as T;
}
