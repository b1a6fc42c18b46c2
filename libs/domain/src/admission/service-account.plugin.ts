// ServiceAccount: every pod runs as one, and gets its token, the cluster's CA and its namespace as files.
import { cloneJson } from '@shiplog/api/clone-json'
import type { Pod, Volume } from '@shiplog/api/generated/types/core-v1'
import { ApiError, forbidden } from '@shiplog/api/status'
import type { Draft } from '@shiplog/api/decoded'
import { type AdmissionAttributes, type AdmissionPlugin, type AdmissionView, createdPod, lookUp } from '../admission.ts'
import { items, section } from '../fields.ts'
import { containersOf } from '../pod/containers.ts'

const defaultAccount = 'default'
const mountPath = '/var/run/secrets/kubernetes.io/serviceaccount'
const volumePrefix = 'kube-api-access-'
/** A little more than an hour, so that a token of an hour can be told from this one. */
const tokenExpirationSeconds = 3607
const fileMode = 420
const mirrorAnnotation = 'kubernetes.io/config.mirror'

const alphabet = 'bcdfghjklmnpqrstvwxz2456789'
const suffixCharacters = 5

/** Five characters told from the pod's name: no randomness, so the same command gives the same pod. */
const suffixOf = (text: string): string => {
  let hash = 0x811c_9dc5
  for (let index = 0; index < text.length; index += 1)
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x0100_0193) >>> 0
  let suffix = ''
  for (let index = 0; index < suffixCharacters; index += 1) {
    suffix += alphabet[hash % alphabet.length]
    hash = Math.floor(hash / alphabet.length)
  }
  return suffix
}

const tokenVolume = (name: string): Volume => ({
  name,
  projected: {
    sources: [
      { serviceAccountToken: { expirationSeconds: tokenExpirationSeconds, path: 'token' } },
      { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
      {
        downwardAPI: {
          items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
        },
      },
    ],
    defaultMode: fileMode,
  },
})

const mountToken = (pod: Draft<Pod>, namespace: string): void => {
  const spec = section(pod, 'spec')
  const containers = [...items(spec.initContainers), ...items(spec.containers)]
  const missing = containers.filter(
    (container) => !items(container.volumeMounts).some((mount) => mount.mountPath === mountPath),
  )
  if (missing.length === 0) return
  const present = items(spec.volumes).find((volume) => volume.name?.startsWith(volumePrefix))
  const name = present?.name ?? `${volumePrefix}${suffixOf(`${namespace}/${pod.metadata.name}`)}`
  for (const container of missing)
    container.volumeMounts = [...items(container.volumeMounts), { name, readOnly: true, mountPath }]
  if (!present) spec.volumes = [...items(spec.volumes), tokenVolume(name)]
}

/** A node's own pod may name nothing that the node could not read without it. */
const refuseReferences = ({ group, resource }: AdmissionAttributes, pod: Draft<Pod>): void => {
  const refused = (what: string): ApiError =>
    new ApiError(forbidden({ group, resource }, pod.metadata.name, `a mirror pod may not reference ${what}`))
  const spec = pod.spec ?? {}
  if (spec.serviceAccountName) throw refused('service accounts')
  const secrets =
    items(spec.imagePullSecrets).some(({ name }) => name) ||
    items(spec.volumes).some(
      ({ secret, projected }) => secret || items(projected?.sources).some((source) => source.secret),
    ) ||
    containersOf(spec, 'spec').some(
      ([container]) =>
        items(container.env).some((variable) => variable.valueFrom?.secretKeyRef) ||
        items(container.envFrom).some((source) => source.secretRef),
    )
  if (secrets) throw refused('secrets')
  const tokens = items(spec.volumes).some(({ projected }) =>
    items(projected?.sources).some((source) => source.serviceAccountToken),
  )
  if (tokens) throw refused('ServiceAccount token volume projections')
}

const admit = (attributes: AdmissionAttributes, view: AdmissionView): void => {
  const { group, resource, namespace } = attributes
  const pod = createdPod(attributes)
  if (!pod) return
  if (pod.metadata.annotations?.[mirrorAnnotation] !== undefined) {
    refuseReferences(attributes, pod)
    return
  }
  const spec = section(pod, 'spec')
  const name = spec.serviceAccountName || defaultAccount
  spec.serviceAccountName = name
  spec.serviceAccount = name
  const account = lookUp(view, 'serviceaccounts', namespace, name)
  if (!account)
    throw new ApiError(
      forbidden(
        { group, resource },
        pod.metadata.name,
        `error looking up service account ${namespace}/${name}: serviceaccount ${JSON.stringify(name)} not found`,
      ),
    )
  const automount = spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true
  if (automount) mountToken(pod, namespace)
  const secrets = items(account.imagePullSecrets)
  if (items(spec.imagePullSecrets).length === 0 && secrets.length > 0) spec.imagePullSecrets = cloneJson([...secrets])
}

export const serviceAccount: AdmissionPlugin = { name: 'ServiceAccount', admit }
