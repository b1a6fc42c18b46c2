// What an answer should look like: Accept, and what bodies are said to be.
import { configMaps, core } from './fixtures.ts'
import type { Unusual } from './requests.ts'

const accepts = [
  ...['*/*', 'application/*', 'text/html', 'text/*', 'application/xml', '', 'nonsense', 'application/json;q=0', 'application/json;charset=utf-16', 'application/JSON'],
  ...['application/yaml', 'application/json;stream=watch', 'text/plain', 'image/png,*/*;q=0.8', 'application/json;q=2', 'application/json;as=Table', 'application/json; as = Table;v=v1;g=meta.k8s.io'],
  ...['application/json;as=Table;v=v1;g=meta.k8s.io', 'application/json;as=Table;v=v1beta1;g=meta.k8s.io', 'application/json;as=Table;v=v2;g=meta.k8s.io', 'application/json;as=Table;v=v1;g=foo', 'application/json;as=Foo;v=v1;g=meta.k8s.io'],
  ...['application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io', 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io', 'application/json;as=PartialObjectMetadata;v=v1beta1;g=meta.k8s.io'],
  ...['application/yaml;as=Table;v=v1;g=meta.k8s.io', 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json', 'application/json;as=Foo;v=v1;g=meta.k8s.io,application/json', 'application/json;profile=x', 'application/cbor', 'application/cbor,application/json'],
  ...['application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'application/json;as=Table;g=meta.k8s.io', ';', ',', 'application/', '/', 'application/json,,', 'application/json; pretty=1', 'application/json;pretty=0'],
]

const targets: readonly (readonly [name: string, path: string])[] = [
  ['an object', `${configMaps}/a`],
  ['a list', `${configMaps}?labelSelector=number`],
]

const few = ['text/html', 'application/yaml', 'application/json;as=Table;v=v1;g=meta.k8s.io', 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io', 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io', 'application/cbor', '*/*']
const others: readonly (readonly [name: string, path: string])[] = [
  ['/api', '/api'],
  ['/apis/apps', '/apis/apps'],
  ['/version', '/version'],
  ['a missing object', `${configMaps}/none`],
  ['an unknown path', '/foo'],
  ['an unknown resource', '/api/v1/foo'],
  ['a scale', '/apis/apps/v1/namespaces/unusual/deployments/a/scale'],
  ['a status', `${core}/pods/a/status`],
  ['a watch', `${configMaps}?watch=1&timeoutSeconds=1&labelSelector=nothing`],
]

const tableOptions = ['includeObject=None', 'includeObject=Metadata', 'includeObject=Object', 'includeObject=Foo', 'includeObject=', 'includeObject=none', 'pretty=1']

const contentTypes = [
  ...['text/plain', '', 'application/x-www-form-urlencoded', 'application/json;charset=utf-8', 'application/json;charset=latin1', 'application/JSON', 'application/merge-patch+json', 'application/apply-patch+yaml'],
  ...['application/vnd.kubernetes.protobuf', 'application/cbor', 'multipart/form-data', 'application/json, text/plain', 'json', '*/*', 'application/yaml', 'application/json;stream=watch', 'application/strategic-merge-patch+json', ';'],
]

const body = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'made' } })

export const representations: readonly Unusual[] = [
  ...targets.flatMap(([name, path]) => accepts.map((accept): Unusual => ({ name: `${name} as ${JSON.stringify(accept)}`, request: { path, headers: { accept } } }))),
  ...others.flatMap(([name, path]) => few.map((accept): Unusual => ({ name: `${name} as ${JSON.stringify(accept)}`, request: { path, headers: { accept } } }))),
  ...tableOptions.map((option): Unusual => ({ name: `a Table with ${option}`, request: { path: `${configMaps}?labelSelector=number&${option}`, headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } } })),
  ...tableOptions.map((option): Unusual => ({ name: `a Table of a pod with ${option}`, request: { path: `${core}/pods/a?${option}`, headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } } })),
  ...contentTypes.map((type): Unusual => ({ name: `create with content type ${JSON.stringify(type)}`, request: { method: 'POST', path: `${configMaps}?dryRun=All`, headers: { 'content-type': type }, body } })),
  ...contentTypes.map((type): Unusual => ({ name: `patch with content type ${JSON.stringify(type)}`, request: { method: 'PATCH', path: `${configMaps}/a?dryRun=All&fieldManager=m`, headers: { 'content-type': type }, body } })),
  ...['text/html', 'application/yaml', 'application/json;as=Table;v=v1;g=meta.k8s.io', 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io'].map(
    (accept): Unusual => ({ name: `create, answered as ${accept}`, request: { method: 'POST', path: `${configMaps}?dryRun=All`, headers: { accept, 'content-type': 'application/json' }, body } }),
  ),
]
