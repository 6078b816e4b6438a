/** What the tasks put out. They say what `src/calls/inputs/task-outputs.ts` says: a test compares the two. */
import type { EmbeddingType } from './inputs.ts';

/** As Bedrock counted them; a count that it did not give is left out. */
export interface TokenCounts {
  readonly promptTokens?: number;
  readonly completionTokens?: number;
  /** Both together. */
  readonly tokenUsed?: number;
}

/** Of tasks whose model has a `cache` in its record. */
export interface FromCache {
  /** True where the answer was kept of an earlier call and no call was made: there are no counts of tokens then. */
  readonly cached?: true;
}

export type FinishReason = 'STOP' | 'MAX_TOKENS' | 'STOP_SEQUENCE' | 'TOOL_CALLS' | 'CONTENT_FILTER' | 'ERROR';

export interface TextCompleteOutput extends TokenCounts, FromCache {
  /** The text; with `jsonOutput`, the JSON value. */
  readonly result: unknown;
  /** All of them, where `maxResults` is above 1. */
  readonly results?: readonly unknown[];
  readonly finishReason: FinishReason;
}

export interface ChatCompleteOutput extends TokenCounts, FromCache {
  /** The text, empty where the model only asks for tools; the JSON value where the answer is one and `jsonOutput` lets it. */
  readonly result: unknown;
  /** `TOOL_CALLS` where the model asks for tools. */
  readonly finishReason: FinishReason;
  /** What the model asks for: each is ready to run as a task, in a dynamic fork for example. */
  readonly toolCalls?: readonly {
    readonly taskReferenceName: string;
    readonly name: string;
    /** As the tool's spec gives them. */
    readonly integrationNames: Readonly<Record<string, unknown>>;
    /** The spec's, else `SIMPLE`. */
    readonly type: string;
    /** The model's own, and the tool's name as `method`. */
    readonly inputParameters: Readonly<Record<string, unknown>>;
  }[];
  /** Which part of the text rests on which documents; `doc_0` is the first of `documents`. */
  readonly citations?: readonly {
    readonly start: number;
    readonly end: number;
    readonly text: string;
    readonly documentIds: readonly string[];
  }[];
}

/** Floats; by type where `embeddingTypes` were asked for. */
export type Embedding = readonly number[] | Readonly<Partial<Record<EmbeddingType, readonly number[]>>>;

export interface GenerateEmbeddingsOutput extends TokenCounts, FromCache {
  /** One for `text`, else a list of them. */
  readonly result: Embedding | readonly Embedding[];
  /** True where the text travelled with others' in one request: its tokens are its part of the request's. */
  readonly tokensShared?: true;
  /** Of a list: how many were kept of earlier calls, where some were and some were not. */
  readonly cachedCount?: number;
}

export interface RerankOutput extends TokenCounts {
  /** The best first. */
  readonly result: readonly {
    /** The document's place in the input, from 0. */
    readonly index: number;
    /** From 0 to 1. */
    readonly score: number;
    /** As it was given, where `returnDocuments` asks for it. */
    readonly document?: string | Readonly<Record<string, unknown>>;
  }[];
}
