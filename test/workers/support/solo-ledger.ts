/** The ledger of a worker that nobody else shares: what it would write to Redis is written down here. */
import type { ClaimAnswer, ClaimOfTask, KeptAnswer, Ledger } from '../../../src/workers/ledger/ledger.ts';

export interface SoloLedger extends Ledger {
  incarnation: string;
  alive: boolean;
  readonly claimed: ClaimOfTask[];
  readonly forced: ClaimOfTask[];
  readonly released: string[];
  readonly answers: Map<string, KeptAnswer>;
  readonly delivered: (readonly [taskId: string, forSeconds: number])[];
  on: {
    claim?: (task: ClaimOfTask) => ClaimAnswer;
    stillOurs?: (task: ClaimOfTask) => boolean;
    keep?: () => void;
  };
}

export function soloLedger(incarnation = 'tests/1'): SoloLedger {
  const ledger: SoloLedger = {
    incarnation,
    alive: true,
    claimed: [],
    forced: [],
    released: [],
    answers: new Map(),
    delivered: [],
    on: {},
    async claim(_, tasks) {
      const answers = tasks.map((task) => ledger.on.claim?.(task) ?? ({ kind: 'ours', ticket: undefined } as const));
      ledger.claimed.push(...tasks);
      return answers;
    },
    async claimByForce(_, task) {
      ledger.forced.push(task);
    },
    stillOurs: async (_, task) => ledger.on.stillOurs?.(task) ?? true,
    release: (_, { taskId }) => void ledger.released.push(taskId),
    async keepAnswer(taskId, answer) {
      ledger.on.keep?.();
      ledger.answers.set(taskId, answer);
    },
    answerDelivered: (taskId, forSeconds) => void ledger.delivered.push([taskId, forSeconds]),
    answerOf: async (taskId) => ledger.answers.get(taskId),
  };
  return ledger;
}
