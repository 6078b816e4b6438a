import { TASK_SCHEMAS } from '../../src/calls/inputs/task-schemas.ts';
import type { TaskType } from '../../src/config.ts';
import type { Codec, Family } from '../../src/integrations/codec.ts';
import { codecFor } from '../../src/integrations/codecs.ts';
import { COHERE_MODELS } from '../../src/integrations/cohere/models.ts';
import {
  describeRule,
  EMBEDDINGS_PARAMETERS,
  type ParameterRule,
  RERANK_PARAMETERS,
  TEXT_PARAMETERS,
} from '../../src/integrations/parameters.ts';

type Rules = Readonly<Record<string, ParameterRule>>;

/** What models can do: the parameters of the families that do it, and the task types that ask for it. */
const ABILITIES: readonly {
  readonly name: string;
  readonly can: (codec: Codec) => boolean;
  readonly parameters: Readonly<Partial<Record<Family, Rules>>>;
  readonly types: readonly TaskType[];
}[] = [
  { name: 'Text', can: ({ text }) => text !== undefined, parameters: TEXT_PARAMETERS, types: ['LLM_TEXT_COMPLETE'] },
  { name: 'Chat', can: ({ chat }) => chat !== undefined, parameters: TEXT_PARAMETERS, types: ['LLM_CHAT_COMPLETE'] },
  {
    name: 'Embeddings',
    can: ({ embeddings }) => embeddings !== undefined,
    parameters: EMBEDDINGS_PARAMETERS,
    types: ['LLM_GENERATE_EMBEDDINGS'],
  },
  {
    name: 'Reranking',
    can: ({ rerank }) => rerank !== undefined,
    parameters: RERANK_PARAMETERS,
    types: ['LLM_RERANK'],
  },
];

/** Models of a family, those that no table of ours knows among them. */
const MODELS = [
  ...COHERE_MODELS.map(({ id, family }) => ({ name: `\`${id}\``, family })),
  { name: 'any other chat model', family: 'converse' as const },
];

/** The text of docs/models.md. */
export function modelsDocument(): string {
  const sections = [
    '# Models',
    'Written by `npm run generate` from the tables that the service itself goes by; [tasks](tasks.md) says what an input means.',
    '## What is known of each',
    knownModels(),
    ...ABILITIES.flatMap(({ name, can, parameters, types }) => {
      const able = MODELS.filter(({ family }) => can(codecFor(family)));
      return [
        `## ${name}: ${types.map((type) => `\`${type}\``).join(', ')}`,
        'A dash means that a model does not know the parameter: a task that gives it is refused.',
        parameterTable(able, parameters),
        ...types.map((type) => `\`${type}\` puts out ${outputsOf(type)}, as far as they are known or asked for.`),
      ];
    }),
  ];
  return `${sections.join('\n\n')}\n`;
}

/** Whatever the table holds of a model, in its own words. */
function knownModels(): string {
  const fields = [...new Set(COHERE_MODELS.flatMap((model) => Object.keys(model)))].filter((field) => field !== 'id');
  const rows = COHERE_MODELS.map((model) => {
    const entries: Readonly<Record<string, unknown>> = { ...model };
    return [`\`${model.id}\``, ...fields.map((field) => shown(entries[field]))];
  });
  return table(['id', ...fields.map(spaced)], rows);
}

function parameterTable(models: typeof MODELS, parameters: Readonly<Partial<Record<Family, Rules>>>): string {
  const names = [...new Set(Object.values(parameters).flatMap((rules) => Object.keys(rules ?? {})))];
  const rows = models.map(({ name, family }) => [
    name,
    ...names.map((parameter) => {
      const rule = parameters[family]?.[parameter];
      return rule === undefined || rule.kind === 'refused' ? '–' : describeRule(rule);
    }),
    resultOf(codecFor(family)),
  ]);
  return table(['model', ...names.map((name) => `\`${name}\``), 'result'], rows);
}

function outputsOf(type: TaskType): string {
  return Object.keys(TASK_SCHEMAS[type].output.shape)
    .map((field) => `\`${field}\``)
    .join(', ');
}

function resultOf({ embeddings, rerank }: Codec): string {
  if (embeddings !== undefined) return `vectors of ${embeddings.dimensions} numbers by default`;
  return rerank === undefined ? 'text' : 'index and score of each document';
}

function shown(value: unknown): string {
  if (value === undefined || value === null) return '–';
  if (Array.isArray(value)) return value.length === 0 ? '–' : value.map(shown).join(', ');
  if (typeof value === 'object') {
    return Object.entries(value)
      .map(([name, part]) => `${spaced(name)}: ${shown(part)}`)
      .join('; ');
  }
  const text = String(value);
  return /^https:\/\//.test(text) ? `[AWS](${text})` : text.replaceAll('|', '\\|');
}

/** `endOfLife` → `end of life`. */
function spaced(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
