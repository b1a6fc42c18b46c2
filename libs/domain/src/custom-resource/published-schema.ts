// The schemas of custom resources as OpenAPI shows them, with what all kinds have in common.
import type { JsonObject } from '@shiplog/api/kube-object'
import type { ServedKind } from '../catalogue/served-kind.ts'

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.'

/** The sentences of what every object has; they begin as upstream's do, which is what scripts look for. */
export const commonTexts = {
  apiVersion: 'APIVersion defines the schema that this object is written in, by its group and version, such as apps/v1.',
  kind: 'Kind is the name of what this object is, in CamelCase. It cannot be changed.',
  metadata: "Standard object's metadata: name, namespace, labels, annotations and more.",
  listMetadata: 'Standard list metadata: the version of the list, and where it goes on.',
}

const refTo = (name: string, openApi: 2 | 3): JsonObject => ({
  $ref: `${openApi === 2 ? '#/definitions/' : '#/components/schemas/'}${name}`,
})

/** A reference with a description: beside a reference itself nothing counts in version 3. */
const described = (description: string, name: string, openApi: 2 | 3): JsonObject =>
  openApi === 2
    ? { description, ...refTo(name, openApi) }
    : { description, allOf: [refTo(name, openApi)] }

/** The schema of a list of a kind. */
export function listSchema({ resource }: ServedKind, openApi: 2 | 3): JsonObject {
  const { group, version, kind, listKind, definition, resource: plural } = resource
  return {
    description: `${listKind} is a list of ${kind}`,
    type: 'object',
    required: ['items'],
    properties: {
      apiVersion: { description: commonTexts.apiVersion, type: 'string' },
      items: { description: `List of ${plural}.`, type: 'array', items: refTo(definition, openApi) },
      kind: { description: commonTexts.kind, type: 'string' },
      metadata: described(commonTexts.listMetadata, `${meta}ListMeta`, openApi),
    },
    'x-kubernetes-group-version-kind': [{ group, version, kind: listKind }],
  }
}
