/** The operations that read and patch an org's singleton settings, for every kind of settings. */

import { presentFields } from '../patch-fields.ts'
import { type DocumentKind, documentChanged, readDocument } from '../storage/document.ts'
import { type Answer, resource } from './answer.ts'
import type { BodyOf, Operation } from './operation.ts'
import { commitIfChanged, requireMatch } from './patch.ts'
import { serve } from './serve.ts'

/** The view of settings whose view equals their record. */
export const asStored = <T>(value: T): T => value

/** Serves the settings, or their defaults, as `view` makes them. */
export const serveDocument = <Op extends Operation, T extends object>(
  operation: Op,
  kind: DocumentKind<T>,
  view: (value: T) => BodyOf<Op, 200>,
) =>
  serve<Operation, Answer>(operation, async ({ caller }) =>
    resource(view((await readDocument(kind, caller.orgId)).value)),
  )

/** Applies a merge patch. `requireCoherent` refuses a combination of fields that is not allowed. */
export const serveDocumentPatch = <Op extends Operation, T extends object>(
  operation: Op,
  kind: DocumentKind<T>,
  view: (value: T) => BodyOf<Op, 200>,
  requireCoherent?: (value: T) => void,
) =>
  serve<Operation, Answer>(operation, async ({ caller, body, headers, commit }) => {
    const before = await readDocument(kind, caller.orgId)
    // The operation's body is a patch of this document. The compiler cannot check this.
    const after = { ...before.value, ...presentFields(body as Partial<T>) }
    requireCoherent?.(after)
    requireMatch(headers, view(before.value))
    return commitIfChanged(commit, documentChanged(kind, caller.orgId, before, after), resource(view(after)))
  })
