import type { Access } from '../../rbac/grants.ts';
import type { Permission } from '../../rbac/permissions.ts';
import type { Asked } from './targets.ts';

export type PathParams = Readonly<Record<string, string>>;

/** What a caller needs for a route. Every route states one; a server with a route that does not is not built. */
export type RoutePermission =
  /** Nothing: health, the API's own description, and getting a token. */
  | { readonly kind: 'public' }
  /** A valid token. What is listed is only what its subject may see. */
  | { readonly kind: 'signed-in' }
  | { readonly kind: 'admin' }
  /** The user whom the path names, or ADMIN. */
  | { readonly kind: 'self'; readonly param: string }
  /** That access on what the path names, or ADMIN. */
  | { readonly kind: 'access'; readonly access: Access; readonly on: (params: PathParams) => Asked }
  /** UPDATE on what the path names; where it does not exist, the permission to create such records. */
  | { readonly kind: 'write'; readonly creates: Permission; readonly on: (params: PathParams) => Asked }
  /** To have made what the path names, or ADMIN: whoever may grant on it, for tags are grants. */
  | { readonly kind: 'grantor'; readonly on: (params: PathParams) => Asked }
  /** What the body names decides: the handler asks, record by record. */
  | { readonly kind: 'by-body'; readonly rule: string };

/** In words, for the API's description. */
export function describePermission(permission: RoutePermission): string {
  switch (permission.kind) {
    case 'public':
      return 'Open to everybody.';
    case 'signed-in':
      return 'Needs a token. Shows what its subject may READ.';
    case 'admin':
      return 'Needs the role ADMIN.';
    case 'self':
      return 'Needs the role ADMIN, or to be this user.';
    case 'access':
      return `Needs ${permission.access} on it, or the role ADMIN.`;
    case 'write':
      return `Needs UPDATE on it, where it exists; else the permission ${permission.creates}; or the role ADMIN.`;
    case 'grantor':
      return 'Needs to have created it, or the role ADMIN.';
    case 'by-body':
      return permission.rule;
  }
}

declare module 'fastify' {
  interface FastifyContextConfig {
    permission?: RoutePermission;
    /** Open to `ANONYMOUS_SUBJECT`, too. */
    anonymous?: true;
    /** It has no record whose version could be compared. */
    unversioned?: true;
    /** Its handler puts its own denials on record. */
    recordsDenials?: true;
    /** The body is taken as text. */
    rawText?: true;
    /** Answers whatever the request calls this host. */
    anyHost?: true;
  }
}
