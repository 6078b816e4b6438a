/** The workflow of workflow.json in TypeScript, for those who build theirs with Conductor's JavaScript SDK. */
import { ConductorWorkflow, type WorkflowExecutor } from '@io-orkes/conductor-javascript';
import { generateEmbeddingsTask, outputOf, rerankTask } from 'bedrock-cohere/tasks';

const embedder = { llmProvider: 'bedrock-search', model: 'cohere.embed-v4:0' };
const reranker = { llmProvider: 'bedrock-search', model: 'cohere.rerank-v3-5:0' };

const documents = generateEmbeddingsTask('embed_documents', {
  ...embedder,
  texts: '${workflow.input.documents}',
  embeddingTypes: ['int8'],
});

const question = generateEmbeddingsTask('embed_question', {
  ...embedder,
  text: '${workflow.input.question}',
  inputType: 'search_query',
});

const best = rerankTask('rerank', {
  ...reranker,
  query: '${workflow.input.question}',
  documents: '${workflow.input.documents}',
  topN: 2,
  returnDocuments: true,
});

export function retrieval(executor: WorkflowExecutor): ConductorWorkflow {
  return new ConductorWorkflow(executor, 'search_retrieval', 1)
    .description('Embeds documents and a question, and puts the documents in the order of how well they answer it')
    .ownerEmail('you@example.com')
    .inputParameters(['question', 'documents'])
    .add([documents, question, best])
    .outputParameters({
      vectors: outputOf(documents, 'result'),
      question: outputOf(question, 'result'),
      best: outputOf(best, 'result'),
    });
}
