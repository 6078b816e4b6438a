import { setTimeout as sleep } from 'node:timers/promises';
import { type AuditFilter, type AuditReader, type AuditStream, createAuditReader } from '../audit/reader.ts';
import { AUDIT_KINDS, type ChangeRecord, type DenialRecord } from '../audit/records.ts';
import { ServiceError } from '../errors.ts';
import { leafLabel, leavesOf } from '../manifests/leaves.ts';
import { didYouMean } from '../parsing.ts';
import { firstSignal } from '../signals.ts';
import { visible } from '../visible.ts';
import type { Terminal } from './terminal.ts';
import { type Variables, withRedis } from './with-redis.ts';

/** As they are typed. */
export interface AuditFlags {
  readonly denials: boolean;
  readonly follow: boolean;
  readonly kind?: string;
  readonly action?: string;
  readonly name?: string;
  readonly subject?: string;
  readonly since?: string;
  readonly limit: string;
}

/** `audit`, of the Redis that the environment names: ends by itself, with a signal, or when nobody reads what it prints. */
export async function showAudit(
  flags: AuditFlags,
  terminal: Terminal,
  { variables, stdout }: { readonly variables: Variables; readonly stdout: NodeJS.WritableStream },
): Promise<number> {
  // What is typed wrong is said whether or not Redis is there.
  filterOf(flags, Date.now());
  limitOf(flags.limit);
  const stop = new AbortController();
  void firstSignal(() => process.exit(0)).then(() => stop.abort());
  stdout.on('error', () => stop.abort());
  const printed = (): Promise<void> => new Promise((resolve) => void stdout.write('', () => resolve()));
  return await withRedis(variables, ({ redis, names }) =>
    runAudit({ reader: createAuditReader({ redis, names }), terminal, flags, stopped: stop.signal, printed }),
  );
}

export interface AuditCommand {
  readonly reader: AuditReader;
  readonly terminal: Terminal;
  readonly flags: AuditFlags;
  /** Ends it, as if there were no more: a signal, or nobody who reads what it prints. */
  readonly stopped: AbortSignal;
  /** Resolves once what was printed has gone out. */
  readonly printed: () => Promise<void>;
}

type AuditRecord = ChangeRecord | DenialRecord;

/** With `--follow`, how often it looks whether there is more. */
const LOOK_MS = 500;
const LIMIT_AT_MOST = 100_000;
const PAGE = 500;

/**
 * Prints the last records, the oldest of them first; with `--follow` also those that come, until it is stopped. Throws USAGE,
 * UNREACHABLE.
 */
export async function runAudit({ reader, terminal, flags, stopped, printed }: AuditCommand): Promise<number> {
  const stream: AuditStream = flags.denials ? 'denials' : 'changes';
  const filter = filterOf(flags, Date.now());
  const show = (record: AuditRecord): void => {
    if (flags.follow) terminal.result(record);
    for (const line of linesOf(record, terminal)) terminal.say(line);
  };

  const [head] = (await reader.page({ stream, filter: {}, order: 'newest', limit: 1 })).records;
  const records = await lastRecords({ reader, stream, filter, limit: limitOf(flags.limit), stopped });
  for (const record of records) show(record);
  if (!flags.follow) {
    if (records.length === 0) terminal.say('Nothing is on record that fits.');
    terminal.result({ records });
    return 0;
  }
  await printed();
  let last = later(head?.id, records.at(-1)?.id);
  while (!stopped.aborted) {
    const page = await reader.page({ stream, filter, order: 'oldest', after: last, limit: PAGE });
    for (const record of page.records) show(record);
    await printed();
    last = page.reached ?? last;
    if (!page.isMore) await sleep(LOOK_MS, undefined, { signal: stopped }).catch(() => undefined);
  }
  return 0;
}

async function lastRecords({
  reader,
  stream,
  filter,
  limit,
  stopped,
}: {
  readonly reader: AuditReader;
  readonly stream: AuditStream;
  readonly filter: AuditFilter;
  readonly limit: number;
  readonly stopped: AbortSignal;
}): Promise<AuditRecord[]> {
  const found: AuditRecord[] = [];
  let after: string | undefined;
  while (found.length < limit && !stopped.aborted) {
    const wanted = Math.min(PAGE, limit - found.length);
    const page = await reader.page({ stream, filter, order: 'newest', after, limit: wanted });
    found.push(...page.records);
    if (!page.isMore) break;
    after = page.reached;
  }
  return found.reverse();
}

function filterOf({ denials, kind, action, name, subject, since }: AuditFlags, now: number): AuditFilter {
  if (denials && (kind !== undefined || action !== undefined)) {
    throw new ServiceError('USAGE', 'audit: --kind and --action are of changes: leave them out, or --denials');
  }
  if (kind !== undefined && !(AUDIT_KINDS as readonly string[]).includes(kind)) {
    const hint = didYouMean(kind, AUDIT_KINDS);
    throw new ServiceError('USAGE', `audit: "${kind}" is not one of ${AUDIT_KINDS.join(', ')}.${hint}`);
  }
  return { kind, action, name, subject, from: since === undefined ? undefined : sinceOf(since, now) };
}

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function sinceOf(text: string, now: number): number {
  const [, count, unit = ''] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const at = count === undefined ? Date.parse(text) : now - Number(count) * (UNITS[unit] ?? 0);
  if (Number.isNaN(at)) {
    throw new ServiceError(
      'USAGE',
      `audit: --since "${text}" is not 30s, 15m, 1h, 7d or a time such as 2026-11-26T12:00Z`,
    );
  }
  return Math.max(0, at);
}

function limitOf(text: string): number {
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= LIMIT_AT_MOST) return limit;
  throw new ServiceError('USAGE', `audit: --limit "${text}" is not a number from 1 to ${LIMIT_AT_MOST}`);
}

/** Ids are of milliseconds and a number within: longer digits are later ones. */
function later(one = '0-0', other = '0-0'): string {
  const [[ms = 0n, n = 0n], [otherMs = 0n, otherN = 0n]] = [one, other].map((id) => id.split('-').map(BigInt)) as [
    bigint[],
    bigint[],
  ];
  return ms > otherMs || (ms === otherMs && n > otherN) ? one : other;
}

const SIGNS = { create: '+', update: '~', delete: '-', unknown: '?' } as const;

function linesOf(record: AuditRecord, terminal: Terminal): string[] {
  if ('count' in record) return [denialLine(record, terminal)];
  const { at, action, kind, name, subject, label: who = 'somebody', accessKey, via } = record;
  const paint = { create: terminal.good, update: terminal.changed, delete: terminal.bad, unknown: terminal.bad }[
    action
  ];
  const by = `${subject ?? who}${accessKey === undefined ? '' : ` (key ${accessKey})`}, ${via}`;
  return [
    `${at}  ${paint(visible(`${SIGNS[action]} ${kind} ${name}`))}  ${terminal.faint(visible(by))}`,
    ...detailsOf(record).map((line) => terminal.faint(`    ${visible(line)}`)),
  ];
}

function denialLine(record: DenialRecord, terminal: Terminal): string {
  const { at, subject, target, missing, mode, count, since, source, workflowType, taskId } = record;
  const verb = mode === 'audit' ? 'would be denied' : 'denied';
  const times = since === undefined ? '' : `, ${count} more in the minute from ${since}`;
  const where = [source, workflowType, taskId].filter((part) => part !== '').join(', ');
  const who = subject === '' ? 'nobody known' : subject;
  const what = terminal.bad(visible(`${verb}  ${who} → ${target}`));
  return `${at}  ${what}${visible(missing === '' ? '' : `: ${missing}`)}  ${terminal.faint(visible(`(${where})${times}`))}`;
}

/** What differs, leaf by leaf; of members who came and who left. */
function detailsOf({ action, kind, before, after, beforeCut, afterCut, rewritten = [] }: ChangeRecord): string[] {
  const cut = [
    ...(beforeCut === undefined ? [] : [`(before: only the beginning of ${beforeCut} is kept)`]),
    ...(afterCut === undefined ? [] : [`(after: only the beginning of ${afterCut} is kept)`]),
  ];
  if (kind === 'members') {
    const listed = (value: unknown, sign: string) => (Array.isArray(value) ? value.map((one) => `${sign} ${one}`) : []);
    return [...listed(after, '+'), ...listed(before, '-'), ...cut];
  }
  const [old, fresh] = [leavesOf(before), leavesOf(after)];
  if (action !== 'update')
    return [...(action === 'delete' ? old : fresh)].map(([path, text]) => leafLabel(path) + text).concat(cut);
  const paths = [...new Set([...old.keys(), ...fresh.keys()])].filter((path) => old.get(path) !== fresh.get(path));
  return [
    ...paths.map((path) => `${leafLabel(path)}${old.get(path) ?? '(absent)'} → ${fresh.get(path) ?? '(absent)'}`),
    ...rewritten.filter((path) => !paths.includes(path)).map((path) => `${path}: written anew`),
    ...cut,
  ];
}
