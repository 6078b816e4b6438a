import type { WorkflowExecutor } from '@io-orkes/conductor-javascript';
import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import workflow from '../../examples/retrieval/workflow.json' with { type: 'json' };
import { retrieval } from '../../examples/retrieval/workflow.ts';
import type { chatCompleteInput, NOT_SERVED } from '../../src/calls/inputs/chat-inputs.ts';
import type { generateEmbeddingsInput, rerankInput, textCompleteInput } from '../../src/calls/inputs/task-inputs.ts';
import type {
  chatCompleteOutput,
  generateEmbeddingsOutput,
  rerankOutput,
  textCompleteOutput,
} from '../../src/calls/inputs/task-outputs.ts';
import { TASK_TYPES } from '../../src/config.ts';
import * as tasks from '../../src/tasks/index.ts';

/** What is written by hand for those who build workflows must be what the worker reads and puts out: the compiler compares. */
type Mutable<T> = T extends readonly (infer Item)[]
  ? Mutable<Item>[]
  : T extends object
    ? { -readonly [Key in keyof T]: Mutable<Exclude<T[Key], undefined>> }
    : T;
/** Taken out of a task's inputs before they are read, so that the schema knows nothing of its form. */
type Written<T> = Mutable<Omit<T, 'accessToken'>>;
type Same<One, Other> = [One] extends [Other] ? ([Other] extends [One] ? true : false) : false;
/** `Refused`: inputs that are read only to be refused. */
type SameAs<Ours, Schema extends z.ZodType, Refused extends string = never> = Same<
  Written<Ours>,
  Written<Omit<z.input<Schema>, Refused>>
> &
  Same<keyof Ours, Exclude<keyof z.input<Schema>, Refused>>;

const compared: readonly true[] = [
  true satisfies SameAs<tasks.TextCompleteInput, typeof textCompleteInput>,
  true satisfies SameAs<tasks.TextCompleteOutput, typeof textCompleteOutput>,
  true satisfies SameAs<tasks.ChatCompleteInput, typeof chatCompleteInput, (typeof NOT_SERVED)[number]>,
  true satisfies SameAs<tasks.ChatCompleteOutput, typeof chatCompleteOutput>,
  true satisfies SameAs<tasks.GenerateEmbeddingsInput, typeof generateEmbeddingsInput>,
  true satisfies SameAs<tasks.GenerateEmbeddingsOutput, typeof generateEmbeddingsOutput>,
  true satisfies SameAs<tasks.RerankInput, typeof rerankInput>,
  true satisfies SameAs<tasks.RerankOutput, typeof rerankOutput>,
];

describe('a task built in TypeScript', () => {
  it('has types for the inputs and outputs of every type that is served', () => {
    expect(compared).toHaveLength(2 * TASK_TYPES.length);
    const built = Object.values(tasks).flatMap((make) =>
      make === tasks.outputOf ? [] : [(make as tasks.TaskBuilder<unknown, unknown>)('a', {}).type],
    );
    expect(built.sort()).toEqual([...TASK_TYPES].sort());
  });

  it('has the name of the definition that every worker registers, its type and its inputs', () => {
    const input = { llmProvider: 'p', model: 'm', query: '${workflow.input.query}', documents: ['a'] } as const;
    expect(tasks.rerankTask('rerank', input)).toEqual({
      name: 'llm_rerank',
      taskReferenceName: 'rerank',
      type: 'LLM_RERANK',
      inputParameters: input,
    });
    expect(tasks.rerankTask('rerank', input, { name: 'mine' })).toMatchObject({ name: 'mine', type: 'LLM_RERANK' });
  });

  it('is a SIMPLE one where the worker takes another task type as ours', () => {
    const input = { llmProvider: 'p', model: 'm', text: 'a' };
    expect(tasks.generateEmbeddingsTask('embed', input, { servedAs: 'my_embeddings', name: 'mine' })).toMatchObject({
      ...{ name: 'my_embeddings', type: 'SIMPLE', inputParameters: input },
    });
  });

  it('refuses, when compiled, what the worker would', () => {
    const model = { llmProvider: 'p', model: 'm' };
    // @ts-expect-error: no such input
    tasks.generateEmbeddingsTask('a', { ...model, txt: 'a' });
    // @ts-expect-error: the query is missing
    tasks.rerankTask('a', { ...model, documents: ['a'] });
    // @ts-expect-error: no such type of vectors
    tasks.generateEmbeddingsTask('a', { ...model, text: 'a', embeddingTypes: ['int4'] });
    // @ts-expect-error: nothing searches the web
    tasks.chatCompleteTask('a', { ...model, userInput: 'a', webSearch: true });
    // @ts-expect-error: no such role
    tasks.chatCompleteTask('a', { ...model, messages: [{ role: 'model', message: 'a' }] });
    // @ts-expect-error: no such output
    expect(tasks.outputOf(tasks.generateEmbeddingsTask('a', { ...model, text: 'a' }), 'vector')).toBe(
      '${a.output.vector}',
    );
  });
});

it('the example in TypeScript builds the one in JSON', () => {
  // The server's own default, which the SDK leaves out.
  const { schemaVersion, ...expected } = workflow;
  const built = retrieval({} as WorkflowExecutor).toWorkflowDef();
  expect(schemaVersion).toBe(2);
  expect(JSON.parse(JSON.stringify(built))).toMatchObject(expected);
});
