import { z } from 'zod';

/** Keys that Orkes' read shapes carry and its clients send back; kept, never interpreted. Times in milliseconds. */
export const auditFields = {
  ownerApp: z.string().nullish(),
  createdBy: z.string().nullish(),
  updatedBy: z.string().nullish(),
  createTime: z.number().nullish(),
  updateTime: z.number().nullish(),
  createdOn: z.number().nullish(),
  updatedOn: z.number().nullish(),
} as const;

/** A tag, `{key, value, type?}`; grants can be made on it, so its key holds no colon. */
export const tag = z.strictObject({
  key: z
    .string()
    .min(1)
    .regex(/^[^:]+$/, 'a tag key holds no colon'),
  value: z.string(),
  type: z.string().optional(),
});
export const tags = z
  .array(tag)
  .nullish()
  .transform((list) => list ?? []);
export type Tag = z.infer<typeof tag>;
