/** A record of what was asked: the last calls one by one, and sums of all since the last clearing. */

export interface RecordedCall {
  /** Counts from 1 in the order of arrival. */
  readonly sequence: number;
  /** Arrival, ISO 8601. */
  readonly time: string;
  /** `InvokeModel`, `Converse`, an action of STS, or `unknown`. */
  readonly operation: string;
  /** As the caller named it: an id or an ARN; `sts` for STS. */
  readonly modelId: string;
  /** From the signature's scope; null when the signature did not hold. */
  region: string | null;
  accessKeyId: string | null;
  /** HTTP status; null while in flight and when the caller went away first. */
  status: number | null;
  /** AWS's error name. */
  error: string | null;
  /** The caller closed the connection before the answer. */
  aborted: boolean;
  /** Milliseconds from arrival to the answer; null while in flight. */
  durationMs: number | null;
  /** Calls of the same model in flight at arrival, this one included. */
  readonly overlapping: number;
  /** Parsed; a form as an object of strings; null when it could not be read. */
  readonly body: unknown;
}

export interface CallTotals {
  calls: number;
  succeeded: number;
  failed: number;
  aborted: number;
  inFlight: number;
  /** The most that were in flight at once. */
  maxInFlight: number;
  /** How often each error name was answered. */
  errors: Record<string, number>;
}

export interface CallReport {
  readonly calls: readonly RecordedCall[];
  readonly totals: CallTotals;
  /** By model id as the callers named it; `sts` is STS. */
  readonly models: Readonly<Record<string, CallTotals>>;
}

export interface CallFilter {
  readonly modelId?: string | undefined;
  /** How many of the latest calls to give; 0 for the sums alone. Default: all that are kept. */
  readonly limit?: number | undefined;
}

export interface OpenCall {
  readonly record: RecordedCall;
  /** The call is answered. To be told just before the answer's last byte, so that the next call does not overlap. */
  answered(status: number, error?: string): void;
  /** The connection closed; without effect on an answered call. */
  closed(): void;
}

export interface Calls {
  begin(call: Pick<RecordedCall, 'operation' | 'modelId' | 'body'> & { readonly bodyBytes: number }): OpenCall;
  report(filter?: CallFilter): CallReport;
  /** Forgets the calls and sums; what is in flight stays counted as such. */
  clear(): void;
}

/** Calls kept, at most. */
const CALLS_LIMIT = 10_000;
/** Bytes of kept bodies, at most: the oldest calls go first. */
const BODIES_LIMIT = 64 * 1024 * 1024;

export function createCalls(): Calls {
  let kept: { record: RecordedCall; bytes: number }[] = [];
  let bytes = 0;
  let sequence = 0;
  let totals = noCalls();
  const models = new Map<string, CallTotals>();

  const totalsOf = (modelId: string): CallTotals => {
    const known = models.get(modelId);
    if (known !== undefined) return known;
    const fresh = noCalls();
    models.set(modelId, fresh);
    return fresh;
  };

  return {
    begin({ operation, modelId, body, bodyBytes }) {
      const sums = () => [totals, totalsOf(modelId)];
      for (const sum of sums()) {
        sum.calls += 1;
        sum.inFlight += 1;
        sum.maxInFlight = Math.max(sum.maxInFlight, sum.inFlight);
      }
      sequence += 1;
      const begun = performance.now();
      const record: RecordedCall = {
        sequence,
        time: new Date().toISOString(),
        operation,
        modelId,
        region: null,
        accessKeyId: null,
        status: null,
        error: null,
        aborted: false,
        durationMs: null,
        overlapping: totalsOf(modelId).inFlight,
        body,
      };
      kept.push({ record, bytes: bodyBytes });
      bytes += bodyBytes;
      while (kept.length > CALLS_LIMIT || (bytes > BODIES_LIMIT && kept.length > 1)) bytes -= kept.shift()?.bytes ?? 0;

      const end = (count: (sum: CallTotals) => void) => {
        if (record.durationMs !== null) return;
        record.durationMs = Math.round((performance.now() - begun) * 10) / 10;
        for (const sum of sums()) {
          sum.inFlight -= 1;
          count(sum);
        }
      };
      return {
        record,
        answered: (status, error) =>
          end((sum) => {
            record.status = status;
            record.error = error ?? null;
            if (status < 400) sum.succeeded += 1;
            else sum.failed += 1;
            if (error !== undefined) sum.errors[error] = (sum.errors[error] ?? 0) + 1;
          }),
        closed: () =>
          end((sum) => {
            record.aborted = true;
            sum.aborted += 1;
          }),
      };
    },
    report({ modelId, limit = CALLS_LIMIT } = {}) {
      const chosen = kept.map(({ record }) => record).filter((one) => modelId === undefined || one.modelId === modelId);
      return structuredClone({
        calls: limit === 0 ? [] : chosen.slice(-limit),
        totals,
        models: Object.fromEntries(models),
      });
    },
    clear() {
      kept = [];
      bytes = 0;
      totals = noCalls(totals.inFlight);
      for (const [modelId, { inFlight }] of models) {
        if (inFlight === 0) models.delete(modelId);
        else models.set(modelId, noCalls(inFlight));
      }
    },
  };
}

function noCalls(inFlight = 0): CallTotals {
  return { calls: 0, succeeded: 0, failed: 0, aborted: 0, inFlight, maxInFlight: inFlight, errors: {} };
}
