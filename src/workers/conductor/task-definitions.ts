import type { TaskDef } from '@io-orkes/conductor-javascript';
import type { Logger } from 'pino';
import type { ServedType } from '../../config.ts';
import { messageOf } from '../../errors.ts';
import { createBackOff } from './back-off.ts';
import { ConductorRefusal } from './conductor.ts';
import { type ConductorMetadata, createConductorMetadata } from './metadata.ts';
import type { ConductorSession } from './session.ts';

/** What workflow authors commonly call their tasks; a task is protected by the definition of its name, not of its type. */
const COMMON_NAMES = [
  'LLM_TEXT_COMPLETE',
  'llm_text_complete',
  'LLM_CHAT_COMPLETE',
  'llm_chat_complete',
  'LLM_GENERATE_EMBEDDINGS',
  'llm_generate_embeddings',
  'LLM_RERANK',
  'llm_rerank',
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
  const metadata = createConductorMetadata({ session });
  try {
    while (!signal.aborted) {
      try {
        const defined = await metadata.definedTasks(signal);
        const registered: string[] = [];
        for (const name of names) {
          if (!defined.has(name) && (await defineIfMissing(metadata, name, signal))) registered.push(name);
        }
        if (registered.length > 0) log.info({ names: registered }, 'Task definitions registered');
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (isFinalRefusal(error)) {
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
  } finally {
    await metadata.close();
  }
}

/**
 * Registers one name, unless it has a definition by now: Conductor has no call that creates and never overwrites, so it
 * is asked once more just before. True where it was registered.
 */
export async function defineIfMissing(
  metadata: ConductorMetadata,
  name: string,
  signal: AbortSignal,
): Promise<boolean> {
  if (await metadata.isTaskDefined(name, signal)) return false;
  await metadata.defineTask(definitionOf(name), signal);
  return true;
}

/** Asking again brings the same answer; 403, too: an application without the right will not get it by asking again. */
export function isFinalRefusal(error: unknown): error is ConductorRefusal {
  return error instanceof ConductorRefusal && (error.status === 403 || !error.worthRepeating);
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
