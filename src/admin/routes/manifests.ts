import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Snapshot } from '../../catalog/snapshot.ts';
import { ServiceError } from '../../errors.ts';
import type { Wanted } from '../../manifests/manifest.ts';
import { readManifestValue } from '../../manifests/read-value.ts';
import { callerOfRequest } from '../access/authorize.ts';
import { type Caller, callerOf, refuse } from '../access/caller.ts';
import { plainProblem, sendRaw } from '../http/problem.ts';
import { answers } from '../http/schemas.ts';
import { keysOf, type PlannedManifest, planManifest } from '../manifests.ts';
import type { AdminParts } from '../parts.ts';

const applyRequest = z.strictObject({
  manifest: z.record(z.string(), z.unknown()).describe('A manifest, as JSON: see docs/manifests.md.'),
  dryRun: z.boolean().optional().describe('Tell what would change, and write nothing.'),
  prune: z.boolean().optional().describe('Also delete what the manifest does not name, of the kinds that it names.'),
  digest: z
    .string()
    .optional()
    .describe('Of an answer before: where by now something else would change, nothing is, and the answer is 409.'),
});

const change = z.object({
  action: z.enum(['create', 'update', 'delete']),
  kind: z.string(),
  name: z.string(),
  before: z.unknown(),
  after: z.unknown(),
  hidden: z.array(z.string()).describe('Paths of masked values that change.'),
  leftBehind: z.boolean().describe("What an earlier record of a new one's name left behind."),
});

const applyAnswer = z.object({
  written: z.boolean(),
  digest: z.string(),
  changes: z.array(change),
  kept: z
    .array(z.object({ kind: z.string(), name: z.string() }))
    .describe('Not deleted: the last with the role ADMIN.'),
  warnings: z
    .array(z.object({ record: z.string(), message: z.string() }))
    .describe('What is written all the same, and is hardly meant: roles that give nothing.'),
});

/** Manifests brought to Redis as `bedrock-cohere apply` does, all or nothing: ours, and not Orkes'. */
export function manifestRoutes(parts: AdminParts): FastifyPluginAsyncZod {
  const { catalog, names, writer } = parts;

  function planned(snapshot: Snapshot, caller: Caller, wanted: Wanted, prune: boolean): PlannedManifest {
    // Asked again on the records that it is planned on.
    const now = callerOf(snapshot, caller.subject);
    if (!now.isAdmin) refuse(now, 'the role ADMIN');
    return planManifest(parts, snapshot, now, wanted, { prune });
  }

  return async (app) => {
    app.post('/manifests/apply', {
      schema: {
        tags: ['Manifests'],
        summary: 'Bring all records to what a manifest says, all or nothing',
        description:
          'Secrets are written as they are and sealed; references to them (env:, file:, enc:) are refused, a mask or a ' +
          'secret left out keeps the stored one. A 400 lists every fault with its record in `faults`.',
        body: applyRequest,
        response: answers({ 200: applyAnswer }),
      },
      config: { unversioned: true, permission: { kind: 'admin' } },
      async handler(request, reply) {
        const { manifest, dryRun = false, prune = false, digest } = request.body;
        const caller = callerOfRequest(request);
        const { wanted, faults } = readManifestValue(manifest);
        await catalog.settle();
        const made =
          dryRun || faults.length > 0
            ? planned(catalog.current(), caller, wanted, prune)
            : await writer.change(keysOf(names, wanted), (snapshot) => {
                const plan = planned(snapshot, caller, wanted, prune);
                const isShown = digest === undefined || digest === plan.digest;
                return { edits: isShown ? plan.edits : [], result: plan };
              });
        const all = [...faults, ...made.faults].map(({ record, message }) => ({ record, message }));
        if (all.length > 0) {
          const message = all.map((fault) => fault.message).join('; ');
          return await sendRaw(reply, { ...plainProblem(400, message), faults: all });
        }
        if (digest !== undefined && digest !== made.digest) {
          throw new ServiceError('CATALOG_CHANGED', 'Something else would change by now; nothing was written');
        }
        const { changes, kept, warnings } = made.plan;
        return {
          ...{ written: !dryRun, digest: made.digest, changes: [...changes], kept: [...kept] },
          warnings: warnings.map(({ record, message }) => ({ record, message })),
        };
      },
    });
  };
}
