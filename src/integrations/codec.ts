/**
 * The port between a task and a model family. A codec is pure: it turns a request in the domain's words into the body
 * of one Bedrock call, and the answer's body back. Calling Bedrock is `bedrock/client.ts`'s; families are in `cohere/`
 * and `converse/`.
 */
import type { ServiceError } from '../errors.ts';

/** Who can answer a task: what the model's id, or `family` in its record, says. */
export const FAMILIES = ['command', 'command-r', 'embed-v3', 'embed-v4', 'rerank', 'converse'] as const;
export type Family = (typeof FAMILIES)[number];

/** One text to complete. What is absent was given neither by the task nor by the model's `defaults`. */
export interface TextRequest {
  readonly prompt: string;
  /** Tokens to generate at most. Absent: the smaller of 1024 and the family's maximum; always sent (an unset one reserves the model's whole quota). */
  readonly maxTokens?: number | undefined;
  readonly temperature?: number | undefined;
  readonly topP?: number | undefined;
  readonly topK?: number | undefined;
  readonly frequencyPenalty?: number | undefined;
  readonly presencePenalty?: number | undefined;
  readonly seed?: number | undefined;
  readonly stopWords?: readonly string[] | undefined;
  /** How many completions of the same prompt. Default 1. */
  readonly maxResults?: number | undefined;
}

/** One table of words for every family. */
export type FinishReason = 'STOP' | 'MAX_TOKENS' | 'STOP_SEQUENCE' | 'TOOL_CALLS' | 'CONTENT_FILTER' | 'ERROR';

export interface TextCompletion {
  /** At least one; more where `maxResults` asked for more. */
  readonly completions: readonly { readonly text: string; readonly finishReason: FinishReason }[];
  readonly tokens: TokenCounts;
}

export interface EmbeddingsRequest {
  /** 1 to 96 texts, none empty. */
  readonly texts: readonly string[];
  /** What the vectors are for. Default `search_document`. */
  readonly inputType?: 'search_document' | 'search_query' | 'classification' | 'clustering' | undefined;
  /** Length of the vectors; only Embed v4 lets one choose (256, 512, 1024, 1536). */
  readonly dimensions?: number | undefined;
}

export interface Embeddings {
  /** Float vectors, one a text, in the order of the texts; ANSWER_INVALID in place of one that is none. */
  readonly vectors: readonly (readonly number[] | ServiceError)[];
  readonly tokens: TokenCounts;
}

/** Tokens as Bedrock counted them; a count it did not give is absent, never 0. */
export interface TokenCounts {
  readonly prompt?: number | undefined;
  readonly completion?: number | undefined;
}

/** The fields of Bedrock's Converse request that we use (AWS: API_runtime_Converse), without the model's id. */
export interface ConverseFields {
  readonly messages: readonly {
    readonly role: 'user' | 'assistant';
    readonly content: readonly { readonly text: string }[];
  }[];
  readonly inferenceConfig?: {
    readonly maxTokens?: number;
    readonly temperature?: number;
    readonly topP?: number;
    readonly stopSequences?: readonly string[];
  };
  /** Parameters beyond Converse's own, in the model's own words. */
  readonly additionalModelRequestFields?: Readonly<Record<string, unknown>>;
}

/** What to send. `InvokeModel`: the JSON body of the family. `Converse`: Bedrock's common chat shape. */
export type BedrockCall =
  | { readonly operation: 'InvokeModel'; readonly body: Readonly<Record<string, unknown>> }
  | { readonly operation: 'Converse'; readonly input: ConverseFields };

/** What came back: the parsed JSON body (Converse: the output's members) and the token headers of InvokeModel, where given. */
export interface BedrockAnswer {
  readonly body: unknown;
  readonly tokens: TokenCounts;
}

/**
 * `encode` throws ServiceError INPUT_INVALID with `field` set to the task's input name (`temperature`, `maxTokens`, …)
 * for a parameter that the family does not know (the message lists those it knows) or whose value is out of its range
 * (the message gives the range). `decode` throws ANSWER_INVALID.
 */
export interface TextCodec {
  encode(request: TextRequest): BedrockCall;
  decode(answer: BedrockAnswer): TextCompletion;
}

export interface EmbeddingsCodec {
  encode(request: EmbeddingsRequest): BedrockCall;
  /** Throws ANSWER_INVALID when the answer does not hold exactly `expected` vectors. */
  decode(answer: BedrockAnswer, expected: number): Embeddings;
}

/** A family can do text, embeddings, or neither of them (rerank). */
export interface Codec {
  readonly family: Family;
  readonly text?: TextCodec;
  readonly embeddings?: EmbeddingsCodec;
}
