import { Undecided } from '../../calls/undecided.ts';
import type { Snapshot } from '../../catalog/snapshot.ts';
import type { TokenPins } from '../../cluster/token-pins.ts';
import { createTokenVerifier, judgeToken } from '../../identity/token-verifier.ts';
import type { TokenWord } from '../../rbac/task-subject.ts';
import type { PolledTask } from '../conductor/polled-task.ts';

/** What a task's token says by the records of one moment; asked again wherever they changed. May throw Undecided. */
export type TokenByRecords = (snapshot: Snapshot) => TokenWord;

export interface TokenSource {
  /** Undefined for a task without a token. Rejects where Redis has to be asked and does not answer. */
  of(task: PolledTask): Promise<TokenByRecords | undefined>;
}

/** Reads a task's `accessToken`: who signed it, then what it is worth by the records, for this workflow and this instance. */
export function createTokenSource({
  catalog,
  pins,
}: {
  readonly catalog: () => Snapshot;
  readonly pins: TokenPins;
}): TokenSource {
  const verifier = createTokenVerifier();
  return {
    async of({ accessToken, workflowType, workflowInstanceId }) {
      if (accessToken === undefined) return undefined;
      const proof = await verifier.prove(accessToken.reveal(), catalog());
      const mayUse = (workflow: string | undefined): boolean => workflow === undefined || workflow === workflowType;
      const first = judgeToken(proof, { audience: 'task', world: catalog() });
      // Only a token that is good for anything takes up room in Redis.
      const pinnedTo =
        first.kind === 'valid' && first.once && mayUse(first.workflow)
          ? await pins.pin(first.jti, workflowInstanceId, first.expiresAt)
          : undefined;

      return (snapshot) => {
        // The key came to be known after the look at the signature.
        const unknown = proof.kind === 'unproven' ? proof.unknownKey : undefined;
        if (unknown !== undefined && snapshot.tokenKey(unknown) !== undefined) throw new Undecided();
        const answer = judgeToken(proof, { audience: 'task', world: snapshot });
        if (answer.kind === 'expired') return EXPIRED;
        if (answer.kind === 'invalid') return refused(answer.reason);
        if (!mayUse(answer.workflow)) {
          return refused(`it is for the workflow ${answer.workflow}, and this is ${workflowType}`);
        }
        if (answer.once) {
          if (pinnedTo === undefined) throw new Undecided();
          if (pinnedTo !== workflowInstanceId)
            return refused('it was for one workflow, and another has used it before');
        }
        return { kind: 'known', subject: answer.subject };
      };
    },
  };
}

const EXPIRED: TokenWord = {
  kind: 'refused',
  code: 'TOKEN_EXPIRED',
  reason: 'the token in accessToken has expired; start the workflow again with a new one, made to live long enough',
};

function refused(reason: string): TokenWord {
  return { kind: 'refused', code: 'TOKEN_INVALID', reason: `the token in accessToken is refused: ${reason}` };
}
