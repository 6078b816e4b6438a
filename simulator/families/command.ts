/** Command and Command Light. Source: "Cohere Command models" in Bedrock's inference parameters. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { validationError } from '../errors.ts';
import { hash32 } from '../hash.ts';
import { fraction, list, malformed, parseBody, text, whole } from '../malformed.ts';
import { generateText } from '../texts.ts';
import { countTokens, firstTokens, lastTokens } from '../tokens.ts';
import type { FamilyAnswer } from './family.ts';

export const COMMAND_MAX_TOKENS = 4096;
/** The context window: prompt and answer together. */
const CONTEXT_TOKENS = 4096;

const schema = z.strictObject({
  prompt: text(1),
  temperature: fraction(0, 5).optional(),
  p: fraction(0, 1).optional(),
  k: fraction(0, 500).optional(),
  max_tokens: whole(1, COMMAND_MAX_TOKENS).optional(),
  stop_sequences: list(z.string(), 0, 4).optional(),
  num_generations: whole(1, 5).optional(),
  return_likelihoods: z.enum(['GENERATION', 'ALL', 'NONE']).optional(),
  truncate: z.enum(['NONE', 'START', 'END']).optional(),
  logit_bias: z.record(z.string(), fraction(-10, 10)).optional(),
  stream: z.boolean().optional(),
});

export function answerCommand(body: unknown): FamilyAnswer {
  const request = parseBody(schema, body);
  // Streaming has an operation of its own.
  if (request.stream === true) throw malformed('#/stream: true is not permitted for this operation');
  const prompt = fitPrompt(request.prompt, request.truncate ?? 'END');
  const texts = Array.from({ length: request.num_generations ?? 1 }, (_, variant) =>
    generateText({
      prompt,
      maxTokens: request.max_tokens ?? COMMAND_MAX_TOKENS,
      stopSequences: request.stop_sequences,
      variant,
    }),
  );
  const likelihoods = request.return_likelihoods ?? 'NONE';
  return {
    body: {
      id: randomUUID(),
      prompt: request.prompt,
      generations: texts.map(({ text, ending }) => ({
        id: randomUUID(),
        text,
        finish_reason: ending === 'max tokens' ? 'MAX_TOKENS' : 'COMPLETE',
        ...(likelihoods === 'NONE' ? {} : likelihoodsOf(likelihoods === 'ALL' ? prompt + text : text)),
      })),
    },
    inputTokens: countTokens(prompt),
    outputTokens: texts.reduce((sum, { tokens }) => sum + tokens, 0),
  };
}

function fitPrompt(prompt: string, truncate: 'NONE' | 'START' | 'END'): string {
  const tokens = countTokens(prompt);
  if (tokens <= CONTEXT_TOKENS) return prompt;
  if (truncate === 'NONE') {
    throw validationError(
      `too many tokens: total number of tokens in the prompt cannot exceed ${CONTEXT_TOKENS} - received ${tokens}. Try using a shorter prompt or enabling prompt truncating.`,
    );
  }
  return truncate === 'END' ? firstTokens(prompt, CONTEXT_TOKENS) : lastTokens(prompt, CONTEXT_TOKENS);
}

function likelihoodsOf(text: string): Record<string, unknown> {
  const tokens = (text.match(/\S+/g) ?? []).map((token) => ({ token, likelihood: -(hash32(token) % 4000) / 1000 }));
  const sum = tokens.reduce((total, { likelihood }) => total + likelihood, 0);
  return { likelihood: tokens.length === 0 ? 0 : sum / tokens.length, token_likelihoods: tokens };
}
