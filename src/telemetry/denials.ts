import type { Cluster, Redis } from 'ioredis';
import type { Logger } from 'pino';
import { messageOf } from '../errors.ts';

/** One refusal, or in `audit` mode one task that would have been refused. The last three are empty for what is no task's. */
export interface Denial {
  readonly subject: string;
  /** Which source named the subject; '' where none could, `api` for a caller of the admin API. */
  readonly source: string;
  readonly target: string;
  readonly missing: string;
  readonly mode: 'enforce' | 'audit';
  readonly workflowId: string;
  readonly workflowType: string;
  readonly taskId: string;
}

export interface DenialRecorder {
  /**
   * Puts a denial on record, in the background: a Redis that is away delays no task. The first of its kind (all but where in
   * Conductor) in a minute is an entry of its own; of the further ones their number is, when the minute is over.
   */
  record(denial: Denial): void;
  /** Writes what is counted so far, and waits for what is still being written. */
  flush(): Promise<void>;
}

const WORDS = {
  audit: 'A task would be denied',
  enforce: 'A task is denied',
  call: 'A call is denied',
  api: 'A request is denied',
} as const;

/** The stream keeps about this many. */
const KEPT = 10_000;
/** Beyond this many unwritten ones, further ones are only counted. */
const PENDING_AT_MOST = 1_000;
/** Kinds that are told apart within a minute, of one subject and of all; what goes beyond is counted together. */
const KINDS_OF_SUBJECT = 100;
const KINDS = 1_000;
/** Names come from tasks and requests: so many characters of each are kept. */
const TEXT_AT_MOST = 512;
const MINUTE_MS = 60_000;

/** The source of a caller of the admin API. */
export const API = 'api';

/** What stands for the targets that are no longer told apart. */
export const MORE_TARGETS = '(others)';

interface Counted {
  readonly denial: Denial;
  /** Beyond what is written. */
  further: number;
}

export function createDenialRecorder({
  redis,
  stream,
  log,
  now = Date.now,
}: {
  redis: Redis | Cluster;
  stream: string;
  log: Logger;
  /** In milliseconds. Default: the time of day. */
  now?: () => number;
}): DenialRecorder {
  const pending = new Set<Promise<unknown>>();
  const kinds = new Map<string, Counted>();
  const kindsOf = new Map<string, number>();
  let minute = 0;
  let timer: NodeJS.Timeout | undefined;

  function write(entries: readonly (readonly [denial: Denial, count: number, since: string])[]): void {
    const pipeline = redis.pipeline();
    for (const [denial, count, since] of entries) {
      const fields = { time: new Date(now()).toISOString(), ...denial, count, since };
      pipeline.xadd(stream, 'MAXLEN', '~', KEPT, '*', ...Object.entries(fields).flat());
    }
    const written = pipeline
      .exec()
      .then((replies) => {
        const failed = replies?.find(([error]) => error !== null)?.[0];
        if (failed) throw failed;
      })
      .catch((error: unknown) => log.warn({ reason: messageOf(error) }, 'A denial could not be put on record in Redis'))
      .finally(() => pending.delete(written));
    pending.add(written);
  }

  function writeCounts(): void {
    const since = new Date(minute * MINUTE_MS).toISOString();
    const counted = [...kinds.values()].filter(({ further }) => further > 0);
    // Bounded, and each stands for many: written even where single denials are not any more.
    if (counted.length > 0) write(counted.map(({ denial, further }) => [withoutTask(denial), further, since] as const));
    for (const entry of counted) entry.further = 0;
  }

  function beginMinute(at: number): void {
    if (at === minute) return;
    writeCounts();
    kinds.clear();
    kindsOf.clear();
    minute = at;
  }

  /** When the minute is over, whether or not more is denied. */
  function countLater(): void {
    const untilOver = (minute + 1) * MINUTE_MS - now();
    timer ??= setTimeout(() => {
      timer = undefined;
      writeCounts();
    }, untilOver).unref();
  }

  /** In the minute that is: of a subject with too many kinds, or too many subjects, one kind stands for the others. */
  function kindOf(denial: Denial): [key: string, counted: Counted | undefined, as: Denial] {
    const others = { ...denial, target: MORE_TARGETS, missing: '' };
    const nobody = { ...others, subject: MORE_TARGETS, source: '' };
    for (const as of [denial, others]) {
      const key = keyOf(as);
      const known = kinds.get(key);
      if (known !== undefined) return [key, known, as];
      const isRoom = kinds.size < KINDS && (as === others || (kindsOf.get(denial.subject) ?? 0) < KINDS_OF_SUBJECT);
      if (isRoom) return [key, undefined, as];
    }
    const key = keyOf(nobody);
    return [key, kinds.get(key), nobody];
  }

  return {
    record(denial) {
      beginMinute(Math.floor(now() / MINUTE_MS));
      const [key, counted, as] = kindOf(shortened(denial));
      // A task is worth a line; requests cost whoever sends them nothing.
      if (denial.source !== API || counted === undefined) log.info({ ...denial }, WORDS[wordOf(denial)]);
      const entry = counted ?? { denial: as, further: 0 };
      if (counted === undefined) {
        kinds.set(key, entry);
        kindsOf.set(as.subject, (kindsOf.get(as.subject) ?? 0) + 1);
        if (pending.size < PENDING_AT_MOST) return write([[as, 1, '']]);
      }
      entry.further += 1;
      countLater();
    },
    async flush() {
      clearTimeout(timer);
      timer = undefined;
      writeCounts();
      await Promise.all(pending);
    },
  };
}

function wordOf({ taskId, source, mode }: Denial): keyof typeof WORDS {
  if (source === API) return 'api';
  return taskId === '' ? 'call' : mode;
}

function keyOf({ subject, source, target, missing, mode }: Denial): string {
  return JSON.stringify([subject, source, target, missing, mode]);
}

function withoutTask(denial: Denial): Denial {
  return { ...denial, workflowId: '', workflowType: '', taskId: '' };
}

function shortened(denial: Denial): Denial {
  const texts = Object.entries(denial).map(([name, text]) => [name, String(text).slice(0, TEXT_AT_MOST)]);
  return Object.fromEntries(texts) as unknown as Denial;
}
