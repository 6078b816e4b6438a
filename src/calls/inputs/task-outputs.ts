/** What completed tasks put out, for JSON Schemas and types; a test holds real outputs to them. */
import { z } from 'zod';
import { EMBEDDING_TYPES, FINISH_REASONS } from '../../integrations/codec.ts';

const count = z.int().nonnegative();

/** As Bedrock counted them; a count that it did not give is left out. */
const tokenCounts = {
  promptTokens: count.optional(),
  completionTokens: count.optional(),
  tokenUsed: count.optional(),
} as const;

/** Present where the answer was kept of an earlier call and no call was made: there are no counts of tokens then. */
const cached = z.literal(true).optional();

export const textCompleteOutput = z.object({
  /** The text; with `jsonOutput`, the JSON value. */
  result: z.unknown(),
  /** All of them, where `maxResults` is above 1. */
  results: z.array(z.unknown()).optional(),
  finishReason: z.enum(FINISH_REASONS),
  cached,
  ...tokenCounts,
});

const named = z.record(z.string(), z.unknown());

export const chatCompleteOutput = z.object({
  /** The text, empty where the model only asks for tools; the JSON value where the answer is one and `jsonOutput` lets it. */
  result: z.unknown(),
  finishReason: z.enum(FINISH_REASONS),
  /** Present where the model asks for tools: each is ready to run as a task. */
  toolCalls: z
    .array(
      z.object({
        taskReferenceName: z.string(),
        name: z.string(),
        integrationNames: named,
        type: z.string(),
        inputParameters: named,
      }),
    )
    .optional(),
  /** Present where the model cites `documents`. */
  citations: z
    .array(z.object({ start: z.number(), end: z.number(), text: z.string(), documentIds: z.array(z.string()) }))
    .optional(),
  cached,
  ...tokenCounts,
});

const vector = z.array(z.number());
/** Bare floats, or by type where `embeddingTypes` were asked for. */
const embedding = z.union([vector, z.partialRecord(z.enum(EMBEDDING_TYPES), vector)]);

export const generateEmbeddingsOutput = z.object({
  /** One for `text`, else a list of them. */
  result: z.union([embedding, z.array(embedding)]),
  /** Present where the text travelled with others' in one request. */
  tokensShared: z.literal(true).optional(),
  cached,
  /** Of a list: how many were kept of earlier calls, where some were and some were not. */
  cachedCount: count.optional(),
  ...tokenCounts,
});

export const rerankOutput = z.object({
  result: z.array(
    z.object({
      index: count,
      score: z.number(),
      document: z.union([z.string(), z.record(z.string(), z.unknown())]).optional(),
    }),
  ),
  ...tokenCounts,
});
