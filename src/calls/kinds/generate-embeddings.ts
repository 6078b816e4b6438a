import { ServiceError } from '../../errors.ts';
import type {
  BedrockAnswer,
  Embedding,
  EmbeddingsCodec,
  EmbeddingsContent,
  EmbeddingsRequest,
  TokenCounts,
} from '../../integrations/codec.ts';
import { readInput } from '../inputs/read-inputs.ts';
import { generateEmbeddingsInput } from '../inputs/task-inputs.ts';
import { type CallKind, type CallPlan, type CallResult, estimateTokens } from '../plan.ts';
import { cachedList, cachedText, keptVectors } from './cached-embeddings.ts';
import { bodyBytes, type EmbeddingsPart, outputBytes, splitContent } from './embedding-requests.ts';
import { shareTokens } from './shared-tokens.ts';
import { modelUnfit } from './unfit.ts';

/** What is embedded stands in one of these inputs. */
const CONTENT_INPUTS = ['text', 'texts', 'images', 'inputs'] as const;

/**
 * A larger output is refused before anything is paid for: Conductor takes 10 MB of a task unless it was told otherwise, and a
 * worker holds the output in memory, and in Redis until Conductor has it.
 */
const OUTPUT_BYTES_AT_MOST = 64_000_000;

/** How everything in a task is to be embedded. */
interface Manner {
  readonly codec: EmbeddingsCodec;
  readonly options: Omit<EmbeddingsRequest, keyof EmbeddingsContent>;
  /** The same where all that determines a vector is, but for what is embedded. */
  readonly key: string;
  readonly notes: readonly string[];
}

/** LLM_GENERATE_EMBEDDINGS: texts and images as vectors. Orkes: "LLM Generate Embeddings" task. */
export const generateEmbeddings: CallKind = {
  type: 'LLM_GENERATE_EMBEDDINGS',
  plan({ input: given, model }) {
    const { value: input, notes } = readInput(given, generateEmbeddingsInput, model.record.configuration.defaults);
    const codec = model.codec.embeddings;
    if (codec === undefined) throw modelUnfit(model, 'generate embeddings');
    const { text, texts, images, inputs, dimensions, truncate, embeddingTypes } = input;
    checkOneGiven(CONTENT_INPUTS.filter((one) => input[one] !== undefined));
    // A model's default is meant for texts where an image can be embedded for one purpose only.
    const isTheOnlyType = images !== undefined && codec.imageInputType !== undefined && given['inputType'] == null;
    const options = {
      ...{ dimensions, truncate },
      inputType: isTheOnlyType ? codec.imageInputType : input.inputType,
      embeddingTypes: embeddingTypes === undefined ? undefined : [...new Set(embeddingTypes)],
    };
    const asked = text === undefined ? { texts, images, inputs } : { texts: [text] };
    const key = JSON.stringify([model.integration, model.model, model.modelId, model.family, options]);
    try {
      const content = codec.fit({ ...asked, ...options });
      const manner = {
        codec,
        options,
        key,
        notes: [...notes, ...notesOfBlanks(content), ...notesOfCuts(asked, content)],
      };
      return text === undefined ? planOfMany(manner, content) : planOfText(manner, content.texts?.[0] ?? text);
    } catch (error) {
      throw text === undefined ? error : asOfText(error);
    }
  },
};

/** A text by itself may share its request with others. */
function planOfText({ codec, options, key, notes }: Manner, text: string): CallPlan {
  const join = (texts: readonly string[]) => codec.encode({ texts, ...options });
  const decode = (answer: BedrockAnswer, count: number) => codec.decode(answer, count, options.embeddingTypes);
  return {
    call: join([text]),
    notes,
    estimatedTokens: estimateTokens(text),
    ...cachedText({ codec, options }, text),
    finish(answer) {
      const { vectors, tokens } = decode(answer, 1);
      const [result] = vectors;
      if (result instanceof ServiceError) return { error: result, tokens };
      return { output: { result }, tokens };
    },
    shared: {
      key,
      text,
      bytes: bodyBytes(text),
      join,
      split(answer, texts) {
        const { vectors, tokens } = decode(answer, texts.length);
        const shares = tokens.prompt === undefined ? undefined : shareTokens(tokens.prompt, texts);
        return texts.map((_, index) => {
          const result = vectors[index];
          const share = shares === undefined ? {} : { prompt: shares[index] };
          if (result instanceof ServiceError) return { error: result, tokens: share };
          return { output: { result, ...(shares === undefined ? {} : { tokensShared: true }) }, tokens: share };
        });
      },
    },
  };
}

/** A list, in as many requests as it needs. */
function planOfMany(manner: Manner, content: EmbeddingsContent): CallPlan {
  const { codec, options, key, notes } = manner;
  const planOf = ({ content: part, count, estimatedTokens }: EmbeddingsPart): CallPlan => ({
    call: codec.encode({ ...part, ...options }),
    notes,
    estimatedTokens,
    keeps: ({ output }) => keptVectors(manner, part, output['result'] as readonly Embedding[]),
    finish(answer) {
      const { vectors, tokens } = codec.decode(answer, count, options.embeddingTypes);
      const fault = vectors.find((vector) => vector instanceof ServiceError);
      return fault === undefined ? { output: { result: vectors }, tokens } : { error: fault, tokens };
    },
  });
  const [first, ...others] = splitContent(content);
  if (first === undefined) throw nothingGiven();
  const cached = cachedList(manner, content, (left) => planOfMany(manner, left));
  const plan = { ...planOf(first), cached };
  checkOutput(codec, options, content);
  if (others.length === 0) return plan;
  const plans = others.map(planOf);
  return { ...plan, further: { key: `${key}|${plans.length}`, plans, join: joined } };
}

/** The vectors of all requests in order. A sum of tokens is given only where every request was counted. */
function joined(results: readonly CallResult[]): CallResult {
  const sum = (counts: readonly (number | undefined)[]): number | undefined =>
    counts.reduce((total, count) => (total === undefined || count === undefined ? undefined : total + count), 0);
  const [prompt, completion] = [
    sum(results.map(({ tokens }) => tokens.prompt)),
    sum(results.map(({ tokens }) => tokens.completion)),
  ];
  const tokens: TokenCounts = {
    ...(prompt === undefined ? {} : { prompt }),
    ...(completion === undefined ? {} : { completion }),
  };
  return { output: { result: results.flatMap(({ output }) => output['result']) }, tokens };
}

function checkOneGiven(given: readonly string[]): void {
  if (given.length === 0) throw nothingGiven();
  if (given.length > 1) {
    throw new ServiceError('INPUT_INVALID', `Input: ${given.join(' and ')} cannot be given together`, {
      field: given[1],
    });
  }
}

function nothingGiven(): ServiceError {
  const message = `Input: text: missing; give something to embed in one of ${CONTENT_INPUTS.join(', ')}`;
  return new ServiceError('INPUT_INVALID', message, { field: 'text' });
}

function checkOutput(codec: EmbeddingsCodec, options: Manner['options'], content: EmbeddingsContent): void {
  const [[field, pieces] = ['texts', []]] = Object.entries(content).filter(([, list]) => list !== undefined);
  const { dimensions = codec.dimensions, embeddingTypes = ['float'] } = options;
  const bytes = outputBytes(pieces.length, dimensions, embeddingTypes);
  if (bytes <= OUTPUT_BYTES_AT_MOST) return;
  const [size, most] = [bytes, OUTPUT_BYTES_AT_MOST].map((count) => Math.round(count / 1_000_000));
  throw new ServiceError(
    'INPUT_INVALID',
    `Input: ${field}: ${pieces.length} vectors would be an output of about ${size} MB; at most ${most} MB are made, and ` +
      'Conductor itself takes 10 MB by default. Give fewer a task, fewer dimensions, or a smaller type such as int8',
    { field },
  );
}

/** Bedrock takes them, and makes up a vector. */
function notesOfBlanks({ texts = [] }: EmbeddingsContent): string[] {
  const blank = texts.filter((text) => text.trim() === '').length;
  return blank === 0 ? [] : [`${blank} of ${texts.length} texts are blank: their vectors mean nothing.`];
}

function notesOfCuts(asked: EmbeddingsContent, fitted: EmbeddingsContent): string[] {
  const cut = fitted.texts?.filter((text, index) => text !== asked.texts?.[index]).length ?? 0;
  if (cut === 0) return [];
  return [
    `${cut} of ${fitted.texts?.length} texts had more characters than the model takes and were cut, as truncate says.`,
  ];
}

/** The codec knows lists only. */
function asOfText(error: unknown): unknown {
  if (!(error instanceof ServiceError) || error.field !== 'texts') return error;
  return new ServiceError(error.code, error.message, { field: 'text', cause: error.cause });
}
