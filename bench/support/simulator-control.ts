import type { CallTotals } from '../../simulator/calls.ts';
import type { Fault } from '../../simulator/faults.ts';

/** The simulator's control endpoint, as far as benches use it. */
export interface SimulatorControl {
  readonly url: string;
  /** `*` is every model. */
  setLatency(model: string, ms: number): Promise<void>;
  setFault(model: string, fault: Fault | null): Promise<void>;
  /** Sums since the last clearing, of one model or of all. */
  totals(model?: string): Promise<CallTotals>;
  clearCalls(): Promise<void>;
}

const NONE: CallTotals = {
  ...{ calls: 0, succeeded: 0, failed: 0, aborted: 0, inFlight: 0, maxInFlight: 0 },
  errors: {},
};

export function controlSimulator(url: string): SimulatorControl {
  async function control(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`${url}/_control/${path}`, {
      method,
      body: body === undefined ? null : JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`The simulator answered ${response.status}: ${await response.text()}`);
    return response.json();
  }
  return {
    url,
    setLatency: async (model, ms) => void (await control('POST', 'latency', { model, ms })),
    setFault: async (model, fault) => void (await control('POST', 'faults', { model, fault })),
    async totals(model) {
      const report = (await control('GET', 'calls?limit=0')) as {
        totals: CallTotals;
        models: Record<string, CallTotals>;
      };
      return model === undefined ? report.totals : (report.models[model] ?? NONE);
    },
    clearCalls: async () => void (await control('DELETE', 'calls')),
  };
}
