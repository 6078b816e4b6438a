import { z } from 'zod';
import { TASK_SCHEMAS, type TaskSchemas } from '../../src/calls/inputs/task-schemas.ts';
import type { TaskType } from '../../src/config.ts';

type JsonSchema = Readonly<Record<string, unknown>>;

/** Raised by hand when a change would refuse what was taken before. */
const VERSION = 1;

/**
 * The files below `schemas/`, name → text: for the inputs and the outputs of each task type a SchemaDef as Conductor registers
 * it (`POST /api/schema` takes a list of them), whose `data` is the JSON Schema.
 */
export function schemaFiles(): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const type of Object.keys(TASK_SCHEMAS) as TaskType[]) {
    const name = type.toLowerCase();
    const { input, output, oneOf } = TASK_SCHEMAS[type];
    const title = (what: string) => `${what} of the task ${type} of bedrock-cohere`;
    put(`${name}_input`, { title: title('Inputs'), ...withNulls(jsonSchema(input)), ...(oneOf && anyOf(oneOf)) });
    put(`${name}_output`, { title: title('Outputs'), ...jsonSchema(output) });
  }
  return files;

  function put(name: string, data: JsonSchema): void {
    files.set(`${name}.json`, `${JSON.stringify({ name, version: VERSION, type: 'JSON', data }, null, 2)}\n`);
  }
}

/** Keys that a schema does not know are allowed, in and out: the worker notes them, and a later version may put out more. */
function jsonSchema(schema: TaskSchemas['input']): JsonSchema {
  return z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    override({ jsonSchema: part, path }) {
      // Taken out of a task's inputs before they are read.
      if (path.at(-1) === 'accessToken') Object.assign(part, { type: 'string' });
    },
  });
}

/** Null is what Conductor hands over for a reference that resolved to nothing: the worker takes it as absent. */
function withNulls(schema: JsonSchema): JsonSchema {
  const needed = new Set(schema['required'] as readonly string[] | undefined);
  const properties = Object.entries(schema['properties'] as Readonly<Record<string, JsonSchema>>);
  const isAnything = (part: JsonSchema) => Object.keys(part).length === 0;
  return {
    ...schema,
    properties: Object.fromEntries(
      properties.map(([name, part]) => [
        name,
        needed.has(name) || isAnything(part) ? part : { anyOf: [part, { type: 'null' }] },
      ]),
    ),
  };
}

function anyOf(names: readonly string[]): JsonSchema {
  return { anyOf: names.map((name) => ({ required: [name] })) };
}
