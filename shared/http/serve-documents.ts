/** The operations that read and patch settings of which an org has one are the same for all such settings. */

import { presentFields } from '../patch-fields.ts'
import { type DocumentKind, documentChanged, readDocument } from '../storage/document.ts'
import { resource } from './answer.ts'
import type { Operation } from './operation.ts'
import { commitIfChanged, requireMatch } from './patch.ts'
import { serve } from './serve.ts'

/** Answers the settings, or their defaults, as `shown` shows them. */
export const serveDocument = <T extends object>(
  operation: Operation,
  kind: DocumentKind<T>,
  { shown = (value) => value }: { shown?: (value: T) => object } = {},
) => serve(operation, async ({ caller }) => resource(shown((await readDocument(kind, caller.orgId)).value)))

/** Applies a merge patch; `requireCoherent` refuses what must not be together. */
export const serveDocumentPatch = <T extends object>(
  operation: Operation,
  kind: DocumentKind<T>,
  {
    requireCoherent,
    shown = (value) => value,
  }: { requireCoherent?: (value: T) => void; shown?: (value: T) => object } = {},
) =>
  serve(operation, async ({ caller, body, headers, commit }) => {
    const before = await readDocument(kind, caller.orgId)
    // The operation's body is the patch of this document; the compiler cannot see that the two go together.
    const after = { ...before.value, ...presentFields(body as Partial<T>) }
    requireCoherent?.(after)
    requireMatch(headers, shown(before.value))
    return commitIfChanged(commit, documentChanged(kind, caller.orgId, before, after), resource(shown(after)))
  })
