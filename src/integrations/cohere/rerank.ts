import { z } from 'zod';
import { answerInvalid, givenCounts, readAnswer } from '../answers.ts';
import type { Codec, RerankRequest } from '../codec.ts';
import { inputInvalid, rerankWords } from '../parameters.ts';

/** Documents in one request, as Bedrock's own operation of that name has it. Source: AWS, API_agent-runtime_Rerank.html (sources). */
export const MAXIMUM_DOCUMENTS = 1000;

/** Bedrock refuses 1, which Cohere's own clients send by default. */
const API_VERSION = 2;

const body = z.object({ results: z.array(z.object({ index: z.int(), relevance_score: z.number() })) });

/**
 * Cohere Rerank 3.5: a query and up to 1000 documents in, the index and score of each out. A document is a text; what of
 * it is beyond the model's 4096 tokens, query included, Cohere splits into pieces, the best of which counts.
 * Source: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-rerank.html
 */
export const rerank: Codec = {
  family: 'rerank',
  rerank: {
    encode(request) {
      const { query, documents } = request;
      checkTexts(request);
      const { top_n, ...words } = rerankWords(request);
      return {
        operation: 'InvokeModel',
        body: {
          ...{ api_version: API_VERSION, query, documents, ...words },
          // A number above that of the documents is refused: "Cannot provide numberOfResults value that exceeds the number of
          // sources", as users report of Bedrock's own operation (langchain-aws, issue 761).
          ...(top_n === undefined ? {} : { top_n: Math.min(Number(top_n), documents.length) }),
        },
      };
    },

    decode(answer, documents) {
      const { results } = readAnswer('rerank', answer.body, body);
      const seen = new Set<number>();
      for (const { index } of results) {
        if (index < 0 || index >= documents || seen.has(index)) {
          throw answerInvalid(
            'rerank',
            `${results.length} results for ${documents} documents, with the index ${index}`,
          );
        }
        seen.add(index);
      }
      return {
        results: results
          .map(({ index, relevance_score: score }) => ({ index, score }))
          .sort((one, other) => other.score - one.score || one.index - other.index),
        tokens: givenCounts(answer.tokens.prompt, answer.tokens.completion),
      };
    },
  },
};

function checkTexts({ query, documents }: RerankRequest): void {
  if (query === '') throw inputInvalid('query', 'The query is empty; Cohere Rerank needs at least one character.');
  if (documents.length < 1 || documents.length > MAXIMUM_DOCUMENTS) {
    throw inputInvalid(
      'documents',
      `Cohere Rerank takes 1 to ${MAXIMUM_DOCUMENTS} documents at once, not ${documents.length}.`,
    );
  }
  const empty = documents.indexOf('');
  if (empty >= 0) {
    throw inputInvalid('documents', `Document ${empty + 1} of ${documents.length} is empty: there is nothing to rank.`);
  }
}
