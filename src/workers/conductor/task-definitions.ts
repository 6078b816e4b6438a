import type { MetadataClient, TaskDef } from '@io-orkes/conductor-javascript';
import type { Logger } from 'pino';
import type { ServedType } from '../../config.ts';
import { messageOf } from '../../errors.ts';
import { inTime } from '../../in-time.ts';
import { createBackOff } from './back-off.ts';
import { mayBeAcceptedLater } from './conductor.ts';
import type { ConductorSession } from './session.ts';

const ANSWER_TIMEOUT_MS = 5_000;

/** What workflow authors commonly call their tasks; a task is protected by the definition of its name, not of its type. */
const COMMON_NAMES = [
  'LLM_TEXT_COMPLETE',
  'llm_text_complete',
  'LLM_GENERATE_EMBEDDINGS',
  'llm_generate_embeddings',
] as const;

export interface TaskDefinitionParts {
  readonly session: ConductorSession;
  readonly served: readonly ServedType[];
  readonly log: Logger;
}

/**
 * Registers definitions for the common names of our tasks where they are missing, so that Conductor itself revives
 * tasks whose worker died: an unregistered name means no response timeout at all. One that exists is never touched.
 * Keeps trying while Conductor is away; a Conductor that refuses is taken at its word, with a warning.
 */
export async function registerTaskDefinitions(parts: TaskDefinitionParts, signal: AbortSignal): Promise<void> {
  const { session, served, log } = parts;
  const names = [...new Set([...COMMON_NAMES, ...served.map(({ queue }) => queue)])];
  const backOff = createBackOff(500, 10_000);
  // The SDK tries a call again for some seconds by itself, and cannot be told to stop.
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  aborted.catch(() => undefined);
  while (!signal.aborted) {
    try {
      const registering = session.metadata().then((metadata) => registerMissing(metadata, names));
      const registered = await inTime(Promise.race([registering, aborted]), ANSWER_TIMEOUT_MS);
      if (registered.length > 0) log.info({ names: registered }, 'Task definitions registered');
      return;
    } catch (error) {
      if (signal.aborted) return;
      if (isRefusal(error)) {
        log.warn(
          { reason: messageOf(error) },
          'Conductor refuses to register task definitions: tasks may stay without timeouts',
        );
        return;
      }
      log.warn({ reason: messageOf(error) }, 'Conductor cannot be asked for task definitions; trying again');
      await backOff.wait(signal);
    }
  }
}

async function registerMissing(metadata: MetadataClient, names: readonly string[]): Promise<string[]> {
  const existing = new Set((await metadata.getAllTaskDefs()).map(({ name }) => name));
  const missing = names.filter((name) => !existing.has(name));
  if (missing.length > 0) await metadata.registerTasks(missing.map(definitionOf));
  return missing;
}

function definitionOf(name: string): TaskDef & { name: string } {
  return {
    name,
    description: 'An LLM task run by bedrock-cohere. Registered because it was missing; change it as you like.',
    // The open-source server wants an address here (conductor.app.ownerEmailMandatory).
    ownerEmail: 'bedrock-cohere@example.com',
    retryCount: 3,
    retryLogic: 'EXPONENTIAL_BACKOFF',
    retryDelaySeconds: 2,
    responseTimeoutSeconds: 60,
    // 0: no limit on the whole; waiting for a busy model must not end a task.
    timeoutSeconds: 0,
    totalTimeoutSeconds: 0,
    timeoutPolicy: 'RETRY',
  };
}

/** A 4xx: asking again brings the same answer. The SDK hides the status in different places, depending on the call. */
function isRefusal(error: unknown): boolean {
  for (
    let here: unknown = error;
    typeof here === 'object' && here !== null;
    here = (here as { cause?: unknown }).cause
  ) {
    const { status } = here as { status?: unknown };
    // 403 is final here: an application without the right to register will not get it by asking again.
    if (typeof status === 'number') return status === 403 || (status >= 400 && !mayBeAcceptedLater(status));
  }
  return /\b(400|403|405)\b/.test(messageOf(error));
}
