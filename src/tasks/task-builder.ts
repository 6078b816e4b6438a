import type { WorkflowTask } from '@io-orkes/conductor-javascript';

/** What Conductor puts in at run time: `${workflow.input.text}`, `${embed.output.result}`. */
export type Expression = `\${${string}}`;

/** A value, or an expression in place of it or of any part of it. */
export type Given<T> =
  | Expression
  | (T extends readonly (infer Item)[]
      ? readonly Given<Item>[]
      : T extends object
        ? { readonly [Key in keyof T]: Given<T[Key]> }
        : T);

/** The inputs of a task as a workflow definition gives them. */
export type GivenInput<Input> = { readonly [Key in keyof Input]: Given<Input[Key]> };

declare const OUTPUT: unique symbol;

/** A task of a workflow definition, which knows what it will put out. */
export type LlmTask<Output> = WorkflowTask & { readonly type: string; readonly [OUTPUT]?: Output };

export interface TaskOptions {
  /**
   * The name of the task definition, from which Conductor takes retries and timeouts. Default: the type in small letters, which
   * every worker registers where it is missing.
   */
  readonly name?: string;
  /** A Conductor task type that the worker takes as this one (TASK_TYPES): the task is a SIMPLE one, and this its name. */
  readonly servedAs?: string;
}

/** Makes tasks of one type, for the SDK's workflow builder or a definition written by hand. */
export type TaskBuilder<Input, Output> = (
  taskReferenceName: string,
  input: GivenInput<Input>,
  options?: TaskOptions,
) => LlmTask<Output>;

/** A new task type is one line with this, beside the others in `index.ts`. */
export function taskBuilder<Input, Output>(type: string): TaskBuilder<Input, Output> {
  return (taskReferenceName, input, { name, servedAs } = {}) => ({
    name: servedAs ?? name ?? type.toLowerCase(),
    taskReferenceName,
    type: servedAs === undefined ? type : 'SIMPLE',
    inputParameters: { ...input },
  });
}

/** The expression that another task's input, or the workflow's output, takes a field of this task's output by. */
export function outputOf<Output>(task: LlmTask<Output>, field: keyof Output & string): Expression {
  return `\${${task.taskReferenceName}.output.${field}}`;
}
