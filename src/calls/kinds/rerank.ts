import { stringify } from 'yaml';
import { ServiceError } from '../../errors.ts';
import { readInput } from '../inputs/read-inputs.ts';
import { rerankInput } from '../inputs/task-inputs.ts';
import { type CallKind, estimateTokens } from '../plan.ts';
import { modelUnfit } from './unfit.ts';

/** What a task may rank: a text, or an object of which some fields or all are ranked by. */
type Document = string | Readonly<Record<string, unknown>>;

/** LLM_RERANK: documents in the order of how well they answer a query. Ours: no Conductor has such a task. */
export const rerank: CallKind = {
  type: 'LLM_RERANK',
  plan({ input: given, model }) {
    const { value: input, notes } = readInput(given, rerankInput, model.record.configuration.defaults);
    const codec = model.codec.rerank;
    if (codec === undefined) throw modelUnfit(model, 'rerank documents');
    const { query, documents, rankFields, topN, returnDocuments = false } = input;
    const texts = documents.map((document, index) => textOf(document, rankFields, index));
    return {
      call: codec.encode({ query, documents: texts, topN }),
      notes,
      // The query is read with every document.
      estimatedTokens: texts.reduce((sum, text) => sum + estimateTokens(text) + estimateTokens(query), 0),
      finish(answer) {
        const { results, tokens } = codec.decode(answer, documents.length);
        const best = results.slice(0, topN);
        return {
          output: {
            result: best.map(({ index, score }) => ({
              ...{ index, score },
              ...(returnDocuments ? { document: documents[index] } : {}),
            })),
          },
          tokens,
        };
      },
    };
  },
};

/**
 * A text as it is; an object's one field that is a text, likewise; else the fields to rank by as YAML, in the order in which
 * they are named, which is how Cohere has structured data written.
 */
function textOf(document: Document, rankFields: readonly string[] | undefined, index: number): string {
  if (typeof document === 'string') return document;
  const fields = rankFields ?? Object.keys(document);
  const found = fields.filter((field) => Object.hasOwn(document, field) && document[field] !== null);
  if (found.length === 0) {
    const which = rankFields === undefined ? 'has no fields' : `has none of the fields ${rankFields.join(', ')}`;
    throw new ServiceError('INPUT_INVALID', `Input: documents.${index} ${which} to rank by`, {
      field: `documents.${index}`,
    });
  }
  const [only] = rankFields?.length === 1 ? found.map((field) => document[field]) : [];
  if (typeof only === 'string') return only;
  return stringify(Object.fromEntries(found.map((field) => [field, document[field]])), { lineWidth: 0 });
}
