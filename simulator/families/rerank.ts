/** Rerank 3.5. Source: "Cohere Rerank 3.5" in Bedrock's inference parameters. */
import { z } from 'zod';
import { list, malformed, parseBody, text, whole } from '../malformed.ts';
import { countTokens } from '../tokens.ts';
import { embedText, similarity } from '../vectors.ts';
import type { FamilyAnswer } from './family.ts';

/** Long enough that unlike words rarely meet in a bucket. */
const DIMENSIONS = 1024;

const schema = z.strictObject({
  api_version: whole(2, 2),
  query: text(1),
  documents: list(z.string(), 1, 1000),
  top_n: whole(1, 1000).optional(),
});

export function answerRerank(body: unknown): FamilyAnswer {
  const { query, documents, top_n = documents.length } = parseBody(schema, body);
  // As Bedrock's operation Rerank does; whether InvokeModel does, too, is not documented.
  if (top_n > documents.length) throw malformed(`#/top_n: ${top_n} exceeds the number of documents`);
  const asked = embedText(query, DIMENSIONS);
  const results = documents
    .map((document, index) => ({
      index,
      relevance_score: Math.max(0, similarity(asked, embedText(document, DIMENSIONS))),
    }))
    .sort((one, other) => other.relevance_score - one.relevance_score || one.index - other.index)
    .slice(0, top_n);
  return {
    body: { results },
    inputTokens: [query, ...documents].reduce((sum, one) => sum + countTokens(one), 0),
  };
}
