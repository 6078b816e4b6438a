import type { FastifyPluginAsync } from 'fastify';
import type { AdminParts } from '../parts.ts';
import { accessKeyRoutes } from './access-keys.ts';
import { applicationRoutes } from './applications.ts';
import { auditRoutes } from './audit.ts';
import { authorizationRoutes } from './authorization.ts';
import { groupRoutes } from './groups.ts';
import { healthRoutes } from './health.ts';
import { integrationListRoutes } from './integration-lists.ts';
import { integrationRoutes } from './integrations.ts';
import { limitRoutes } from './limits.ts';
import { manifestRoutes } from './manifests.ts';
import { modelRoutes } from './models.ts';
import { promptTestRoutes } from './prompt-test.ts';
import { promptRoutes } from './prompts.ts';
import { roleRoutes } from './roles.ts';
import { subjectUsageRoutes } from './subject-usage.ts';
import { tagRoutes } from './tags.ts';
import { tokenUsageRoutes } from './token-usage.ts';
import { tokenRoutes } from './tokens.ts';
import { tokenLimitRoutes } from './usage.ts';
import { userRoutes } from './users.ts';

const RESOURCES = [
  tokenRoutes,
  integrationRoutes,
  integrationListRoutes,
  modelRoutes,
  promptRoutes,
  promptTestRoutes,
  tagRoutes,
  tokenLimitRoutes,
  tokenUsageRoutes,
  subjectUsageRoutes,
  limitRoutes,
  authorizationRoutes,
  groupRoutes,
  userRoutes,
  applicationRoutes,
  accessKeyRoutes,
  roleRoutes,
  auditRoutes,
  manifestRoutes,
];

/** Everything under `/api`, where Orkes' clients look for it, and what orchestrators ask beside it. */
export function routes(parts: AdminParts): FastifyPluginAsync {
  return async (app) => {
    await app.register(healthRoutes(parts));
    for (const resource of RESOURCES) await app.register(resource(parts), { prefix: '/api' });
  };
}
