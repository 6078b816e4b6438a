import { z } from 'zod';
import { auditFields, limitFields, tags } from '../record-fields.ts';
import { patternFault } from './workflow-pattern.ts';

/** Roles are written as names and read by Orkes' clients as objects: both are taken. */
const roles = z
  .array(z.union([z.string().min(1), z.object({ name: z.string().min(1) }).transform(({ name }) => name)]))
  .nullish()
  .transform((list) => list ?? []);

/** One field of `cohere:groups`. A group's roles count for its members, who are in the set `cohere:members:<group>`. */
export const groupRecord = z.strictObject({
  id: z.string().optional(),
  description: z.string().nullish(),
  roles,
  defaultAccess: z.record(z.string(), z.array(z.string())).nullish(),
  /** Of all its members together. */
  ...limitFields,
  ...auditFields,
});
export type Group = z.infer<typeof groupRecord>;

/** One field of `cohere:applications`; `workflows` are the patterns of workflow names that run as this application. */
export const applicationRecord = z.strictObject({
  id: z.string().optional(),
  name: z.string().optional(),
  description: z.string().nullish(),
  /** Random, given when its first access key is made: a token of a deleted application is worth nothing for one made anew under its id. */
  uid: z.string().optional(),
  workflows: z
    .array(
      z.string().superRefine((pattern, context) => {
        const fault = patternFault(pattern);
        if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
      }),
    )
    .nullish()
    .transform((list) => list ?? []),
  roles,
  tags,
  ...limitFields,
  ...auditFields,
});
export type Application = z.infer<typeof applicationRecord>;

/** One field of `cohere:users`. A user needs no record to hold grants or be a member. */
export const userRecord = z.strictObject({
  id: z.string().optional(),
  name: z.string().nullish(),
  uuid: z.string().nullish(),
  roles,
  groups: z.array(z.unknown()).nullish(),
  applicationUser: z.boolean().nullish(),
  ...limitFields,
  ...auditFields,
});
export type User = z.infer<typeof userRecord>;

/** One field of `cohere:roles`: a custom role is a set of permissions. */
export const roleRecord = z.strictObject({
  name: z.string().optional(),
  description: z.string().nullish(),
  permissions: z
    .array(z.union([z.string().min(1), z.object({ name: z.string().min(1) }).transform(({ name }) => name)]))
    .nullish()
    .transform((list) => list ?? []),
  ...auditFields,
});
export type Role = z.infer<typeof roleRecord>;
