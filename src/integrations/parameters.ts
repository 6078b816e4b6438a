/**
 * What each family takes, as data: the task input, the family's own word for it, its range. Codecs check and translate
 * by this table, and the documentation of models can be generated from it, so that the two cannot drift apart.
 */
import { ServiceError } from '../errors.ts';
import {
  EMBEDDING_TYPES,
  type EmbeddingsContent,
  type EmbeddingsRequest,
  type Family,
  type Generation,
  type RerankRequest,
  type TextRequest,
} from './codec.ts';

/** How messages call a family. */
export const FAMILY_NAMES: Readonly<Record<Family, string>> = {
  command: 'Cohere Command',
  'command-r': 'Cohere Command R',
  'embed-v3': 'Cohere Embed v3',
  'embed-v4': 'Cohere Embed v4',
  rerank: 'Cohere Rerank',
  converse: 'Bedrock Converse',
};

export type TextFamily = 'command' | 'command-r' | 'converse';
export type EmbeddingsFamily = 'embed-v3' | 'embed-v4';
export type TextParameter = keyof Generation;
export type EmbeddingsParameter = Exclude<keyof EmbeddingsRequest, keyof EmbeddingsContent>;
export type RerankParameter = Exclude<keyof RerankRequest, 'query' | 'documents'>;

/** Both bounds are inclusive. `word` is the family's name for the parameter; without one the value is checked, not sent. */
export type ParameterRule =
  | {
      readonly kind: 'number' | 'whole';
      readonly word?: string;
      readonly minimum?: number;
      readonly maximum?: number;
    }
  | { readonly kind: 'texts'; readonly word: string; readonly maximumItems?: number }
  | { readonly kind: 'choice'; readonly word: string; readonly choices: readonly (string | number)[] }
  | { readonly kind: 'choices'; readonly word: string; readonly choices: readonly string[] }
  | { readonly kind: 'refused'; readonly hint?: string };

const REFUSED: ParameterRule = { kind: 'refused' };

/**
 * Every input of a text task has its rule in every family, so that a new input can't be dropped silently.
 * Sources, in https://docs.aws.amazon.com/bedrock/latest/: userguide/model-parameters-cohere-command.html,
 * userguide/model-parameters-cohere-command-r-plus.html, APIReference/API_runtime_InferenceConfiguration.html.
 */
export const TEXT_PARAMETERS: Readonly<Record<TextFamily, Readonly<Record<TextParameter, ParameterRule>>>> = {
  command: {
    maxTokens: { kind: 'whole', word: 'max_tokens', minimum: 1, maximum: 4096 },
    temperature: { kind: 'number', word: 'temperature', minimum: 0, maximum: 5 },
    topP: { kind: 'number', word: 'p', minimum: 0, maximum: 1 },
    // AWS types `k` as a float, in both Command families.
    topK: { kind: 'number', word: 'k', minimum: 0, maximum: 500 },
    frequencyPenalty: REFUSED,
    presencePenalty: REFUSED,
    seed: REFUSED,
    stopWords: { kind: 'texts', word: 'stop_sequences', maximumItems: 4 },
    maxResults: { kind: 'whole', word: 'num_generations', minimum: 1, maximum: 5 },
  },
  'command-r': {
    maxTokens: { kind: 'whole', word: 'max_tokens', minimum: 1, maximum: 4000 },
    temperature: { kind: 'number', word: 'temperature', minimum: 0, maximum: 1 },
    topP: { kind: 'number', word: 'p', minimum: 0.01, maximum: 0.99 },
    topK: { kind: 'number', word: 'k', minimum: 0, maximum: 500 },
    frequencyPenalty: { kind: 'number', word: 'frequency_penalty', minimum: 0, maximum: 1 },
    presencePenalty: { kind: 'number', word: 'presence_penalty', minimum: 0, maximum: 1 },
    seed: { kind: 'whole', word: 'seed', minimum: 0 },
    stopWords: { kind: 'texts', word: 'stop_sequences' },
    maxResults: { kind: 'whole', minimum: 1, maximum: 1 },
  },
  converse: {
    maxTokens: { kind: 'whole', word: 'maxTokens', minimum: 1 },
    temperature: { kind: 'number', word: 'temperature', minimum: 0, maximum: 1 },
    topP: { kind: 'number', word: 'topP', minimum: 0, maximum: 1 },
    topK: REFUSED,
    frequencyPenalty: REFUSED,
    presencePenalty: REFUSED,
    seed: REFUSED,
    stopWords: { kind: 'texts', word: 'stopSequences', maximumItems: 2500 },
    maxResults: { kind: 'whole', minimum: 1, maximum: 1 },
  },
};

const INPUT_TYPES = ['search_document', 'search_query', 'classification', 'clustering'] as const;

/** Source: AWS, userguide/model-parameters-embed-v3.html and model-parameters-embed-v4.html. */
export const EMBEDDINGS_PARAMETERS: Readonly<
  Record<EmbeddingsFamily, Readonly<Record<EmbeddingsParameter, ParameterRule>>>
> = {
  'embed-v3': {
    inputType: { kind: 'choice', word: 'input_type', choices: INPUT_TYPES },
    dimensions: {
      kind: 'refused',
      hint: 'Its vectors always have 1024 numbers; cohere.embed-v4:0 lets one choose 256, 512, 1024 or 1536.',
    },
    truncate: { kind: 'choice', word: 'truncate', choices: ['NONE', 'START', 'END'] },
    embeddingTypes: { kind: 'choices', word: 'embedding_types', choices: EMBEDDING_TYPES },
  },
  'embed-v4': {
    inputType: { kind: 'choice', word: 'input_type', choices: INPUT_TYPES },
    dimensions: { kind: 'choice', word: 'output_dimension', choices: [256, 512, 1024, 1536] },
    truncate: { kind: 'choice', word: 'truncate', choices: ['NONE', 'LEFT', 'RIGHT'] },
    embeddingTypes: { kind: 'choices', word: 'embedding_types', choices: EMBEDDING_TYPES },
  },
};

/** Source: AWS, userguide/model-parameters-rerank.html; no more can be given than there are documents (see `cohere/rerank.ts`). */
export const RERANK_PARAMETERS: Readonly<Record<'rerank', Readonly<Record<RerankParameter, ParameterRule>>>> = {
  rerank: { topN: { kind: 'whole', word: 'top_n', minimum: 1, maximum: 1000 } },
};

/** Tokens asked for when neither the task nor the model's `defaults` say: the smaller of 1024 and the family's maximum. */
export function defaultMaxTokens(family: TextFamily): number {
  const rule = TEXT_PARAMETERS[family].maxTokens;
  return Math.min(1024, rule.kind === 'whole' ? (rule.maximum ?? 1024) : 1024);
}

/**
 * A text request's parameters in the family's words; `maxTokens` is always among them.
 * Throws INPUT_INVALID, `field` being the task input, for a blank prompt, a parameter the family does not know, or a value out of range.
 */
export function textWords(family: TextFamily, request: TextRequest): Record<string, unknown> {
  // Bedrock refuses a blank text (Converse), or has nothing to complete; no family makes anything of it.
  if (request.prompt.trim() === '') {
    throw inputInvalid('prompt', `The prompt is blank; ${FAMILY_NAMES[family]} needs a text to complete.`);
  }
  return generationWords(family, request);
}

/** How to generate in the family's words; `maxTokens` is always among them. Throws as `textWords` does. */
export function generationWords(family: TextFamily, generation: Generation): Record<string, unknown> {
  const given = { ...generation, maxTokens: generation.maxTokens ?? defaultMaxTokens(family) };
  return translate(FAMILY_NAMES[family], TEXT_PARAMETERS[family], given);
}

/**
 * An embeddings request's parameters in the family's words. Always among them: `input_type`, `truncate`, whose default
 * differs between documents, and `embedding_types`, without which v4 chooses the form of its answer. Throws as `textWords` does.
 */
export function embeddingsWords(family: EmbeddingsFamily, request: EmbeddingsRequest): Record<string, unknown> {
  const given = {
    ...request,
    inputType: request.inputType ?? 'search_document',
    truncate: request.truncate ?? 'NONE',
    embeddingTypes: request.embeddingTypes ?? ['float'],
  };
  return translate(FAMILY_NAMES[family], EMBEDDINGS_PARAMETERS[family], given);
}

/** A rerank request's parameters in the family's words. Throws as `textWords` does. */
export function rerankWords(request: RerankRequest): Record<string, unknown> {
  return translate(FAMILY_NAMES.rerank, RERANK_PARAMETERS.rerank, request);
}

/** A rule in words, as messages and documentation show it: `a whole number from 1 to 4096`. */
export function describeRule(rule: ParameterRule): string {
  switch (rule.kind) {
    case 'number':
    case 'whole': {
      const noun = rule.kind === 'whole' ? 'a whole number' : 'a number';
      if (rule.minimum === undefined) return rule.maximum === undefined ? noun : `${noun} up to ${rule.maximum}`;
      if (rule.minimum === rule.maximum) return `${rule.minimum}`;
      return `${noun} from ${rule.minimum}${rule.maximum === undefined ? '' : ` to ${rule.maximum}`}`;
    }
    case 'texts':
      return `a list of ${rule.maximumItems === undefined ? '' : `at most ${rule.maximumItems} `}non-empty texts`;
    case 'choice':
      return `one of ${rule.choices.join(', ')}`;
    case 'choices':
      return `a list of ${rule.choices.join(', ')}`;
    case 'refused':
      return 'not known';
  }
}

/** INPUT_INVALID about one input of a task. */
export function inputInvalid(field: string, message: string): ServiceError {
  return new ServiceError('INPUT_INVALID', message, { field });
}

function translate<Name extends string>(
  familyName: string,
  rules: Readonly<Record<Name, ParameterRule>>,
  given: Readonly<Partial<Record<Name, unknown>>>,
): Record<string, unknown> {
  const words: Record<string, unknown> = {};
  for (const name of Object.keys(rules) as Name[]) {
    const value = given[name];
    const rule = rules[name];
    // Workflows hand over null for an input that was never set.
    if (value === undefined || value === null) continue;
    if (rule.kind === 'refused') {
      const known = (Object.keys(rules) as Name[]).filter((other) => rules[other].kind !== 'refused').join(', ');
      const hint = rule.hint === undefined ? '' : ` ${rule.hint}`;
      throw inputInvalid(name, `${familyName} has no ${name} (given: ${show(value)}).${hint} It knows ${known}.`);
    }
    if (!fits(value, rule)) {
      throw inputInvalid(name, `${name} must be ${describeRule(rule)} for ${familyName}, not ${show(value)}.`);
    }
    if (rule.word !== undefined && !isEmptyList(value)) words[rule.word] = value;
  }
  return words;
}

function fits(value: unknown, rule: Exclude<ParameterRule, { kind: 'refused' }>): boolean {
  switch (rule.kind) {
    case 'number':
    case 'whole':
      return (
        typeof value === 'number' &&
        // Beyond the safe integers a whole number would reach Bedrock as another one.
        (rule.kind === 'whole' ? Number.isSafeInteger(value) : Number.isFinite(value)) &&
        value >= (rule.minimum ?? -Infinity) &&
        value <= (rule.maximum ?? Infinity)
      );
    case 'texts':
      return (
        Array.isArray(value) &&
        value.length <= (rule.maximumItems ?? Infinity) &&
        value.every((item) => typeof item === 'string' && item !== '')
      );
    case 'choice':
      return (rule.choices as readonly unknown[]).includes(value);
    case 'choices':
      return (
        Array.isArray(value) &&
        value.length > 0 &&
        new Set(value).size === value.length &&
        value.every((item) => rule.choices.includes(item))
      );
  }
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** A value for a message, cut short: an input may be long. JSON would show NaN and Infinity as null. */
function show(value: unknown): string {
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}
