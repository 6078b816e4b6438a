/** Images as Embed takes them: data URIs, base64. */
import { z } from 'zod';

/** 5 MB, of the image itself. */
const MAXIMUM_BYTES = 5 * 1024 * 1024;

/** A data URI of one of the formats (`png`, …). */
export function dataUri(formats: readonly string[]) {
  const head = new RegExp(`^data:image/(${formats.join('|')});base64,([A-Za-z0-9+/]+={0,2})$`);
  return z.string().superRefine((value, context) => {
    const encoded = head.exec(value)?.[2];
    if (encoded === undefined) {
      context.addIssue({ code: 'custom', message: `must be a data URI of one of image/${formats.join(', image/')}` });
    } else if (Buffer.byteLength(encoded, 'base64') > MAXIMUM_BYTES) {
      context.addIssue({ code: 'custom', message: 'image size exceeds the limit of 5 MB' });
    }
  });
}
