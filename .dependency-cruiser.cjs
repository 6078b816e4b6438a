/** Imports run one way: main → workers, admin → integrations, prompts, rbac → redis; and never in a circle. */
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'the-simulator-and-the-development-servers-stay-outside-src',
      severity: 'error',
      from: { path: '^src' },
      to: { path: '^(simulator|devservers|quickstart|test|bench|scripts)' },
    },
    {
      name: 'the-domain-knows-no-edge',
      comment:
        'rbac, prompts and integrations are told what they need; they never reach for workers or the composition root.',
      severity: 'error',
      from: { path: '^src/(rbac|prompts|integrations|catalog|redis|telemetry)' },
      to: { path: '^src/(workers|cli|main|commands)' },
    },
    {
      name: 'rbac-and-prompts-are-pure',
      comment: 'Decisions and rendering touch neither Redis nor AWS nor Conductor.',
      severity: 'error',
      from: { path: '^src/(rbac|prompts)' },
      to: { path: '^(src/(integrations/bedrock|redis)|node_modules/(ioredis|@aws-sdk|@io-orkes|undici|pino))' },
    },
    {
      name: 'aws-only-at-its-edge',
      severity: 'error',
      from: { path: '^src', pathNot: '^src/integrations/bedrock' },
      to: { path: 'node_modules/(@aws-sdk|@smithy|@aws-crypto)' },
    },
    {
      name: 'redis-only-at-its-edge',
      severity: 'error',
      from: { path: '^src', pathNot: '^src/(redis|catalog|telemetry|main)' },
      to: { path: 'node_modules/ioredis' },
    },
    {
      name: 'conductor-only-at-its-edge',
      severity: 'error',
      from: { path: '^src', pathNot: '^src/workers' },
      to: { path: 'node_modules/@io-orkes' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
