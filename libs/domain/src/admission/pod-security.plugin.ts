// PodSecurity: pods keep to the level that their namespace's labels enforce. Whatever makes pods is only warned of, as are
// pods that a namespace has when its level is raised. There is no audit log: what only `audit` asks for goes nowhere.
import type { Decoded, Draft } from '@shiplog/api/decoded'
import type { CronJob } from '@shiplog/api/generated/types/batch-v1'
import type { Deployment } from '@shiplog/api/generated/types/apps-v1'
import type { Container, Pod, PodTemplate, PodTemplateSpec } from '@shiplog/api/generated/types/core-v1'
import type { KubeObject } from '@shiplog/api/kube-object'
import { groupResourceOf } from '@shiplog/api/schema/schema'
import { ApiError, forbidden, invalid } from '@shiplog/api/status'
import type { AdmissionAttributes, AdmissionPlugin, AdmissionView } from '../admission.ts'
import { deepEqual } from '../deep-equal.ts'
import { items } from '../fields.ts'
import { existingPodWarnings } from '../pod-security/existing-pods.ts'
import { detailsText, evaluatePod } from '../pod-security/evaluate.ts'
import {
  compareLevels,
  isFullyPrivileged,
  levelLabel,
  levelVersionText,
  modes,
  type Policy,
  policyOf,
  sameLevelVersion,
  versionLabel,
} from '../pod-security/policy.ts'

/** Whom and what no level holds for. */
export interface PodSecurityExemptions {
  readonly namespaces?: readonly string[]
  readonly usernames?: readonly string[]
  readonly runtimeClasses?: readonly string[]
}

/** Where the kinds that make pods have the template of theirs. */
const inSpec = (object: KubeObject): Decoded<PodTemplateSpec> | undefined =>
  (object as Draft<Deployment>).spec?.template
const templates: Readonly<Record<string, (object: KubeObject) => Decoded<PodTemplateSpec> | undefined>> = {
  replicationcontrollers: inSpec,
  podtemplates: (object) => (object as Draft<PodTemplate>).template,
  'replicasets.apps': inSpec,
  'deployments.apps': inSpec,
  'statefulsets.apps': inSpec,
  'daemonsets.apps': inSpec,
  'jobs.batch': inSpec,
  'cronjobs.batch': (object) => (object as Draft<CronJob>).spec?.jobTemplate?.spec?.template,
}

/** These change nothing of a pod's spec that a level is about. */
const ignoredPodSubresources = new Set([
  'exec',
  'attach',
  'binding',
  'eviction',
  'log',
  'portforward',
  'proxy',
  'status',
])

interface Asked {
  readonly attributes: AdmissionAttributes
  readonly view: AdmissionView
  readonly exemptions: PodSecurityExemptions
}

/** A pod or a template that a policy holds for. */
interface Judged {
  readonly policy: Policy
  readonly pod: Decoded<PodTemplateSpec>
}

export const createPodSecurity = (exemptions: PodSecurityExemptions = {}): AdmissionPlugin => ({
  name: 'PodSecurity',
  validate(attributes, view) {
    if (attributes.group !== '') return
    if (attributes.resource === 'namespaces') validateLabels(attributes)
    if (attributes.resource === 'pods') enforce({ attributes, view, exemptions })
  },
  warnings(attributes, view) {
    const asked = { attributes, view, exemptions }
    const groupResource = groupResourceOf(attributes.group, attributes.resource)
    if (groupResource === 'namespaces') return namespaceWarnings(asked)
    if (groupResource === 'pods') return podWarnings(judgedPod(asked), { isEnforced: true })
    return templates[groupResource]
      ? podWarnings(judgedTemplate(asked, templates[groupResource]), { isEnforced: false })
      : []
  },
  annotations(attributes, view) {
    const asked = { attributes, view, exemptions }
    const groupResource = groupResourceOf(attributes.group, attributes.resource)
    if (groupResource === 'pods') return podAnnotations(judgedPod(asked), { isEnforced: true })
    return templates[groupResource]
      ? podAnnotations(judgedTemplate(asked, templates[groupResource]), { isEnforced: false })
      : {}
  },
})

function enforce(asked: Asked): void {
  const judged = judgedPod(asked)
  if (!judged) return
  const level = judged.policy.enforce
  const violations = evaluatePod(judged.pod, level)
  if (violations.length === 0) return
  const why = `violates PodSecurity "${levelVersionText(level)}": ${detailsText(violations)}`
  throw new ApiError(forbidden({ group: '', resource: 'pods' }, asked.attributes.name, why))
}

/** What was enforced has been found to be kept. */
function podWarnings(judged: Judged | undefined, { isEnforced }: { readonly isEnforced: boolean }): readonly string[] {
  if (!judged) return []
  const { policy, pod } = judged
  if (isEnforced && sameLevelVersion(policy.warn, policy.enforce)) return []
  const violations = evaluatePod(pod, policy.warn)
  return violations.length === 0
    ? []
    : [`would violate PodSecurity "${levelVersionText(policy.warn)}": ${detailsText(violations)}`]
}

function podAnnotations(
  judged: Judged | undefined,
  { isEnforced }: { readonly isEnforced: boolean },
): Readonly<Record<string, string>> {
  if (!judged) return {}
  const { policy, pod } = judged
  const violations = evaluatePod(pod, policy.audit)
  return {
    ...(isEnforced ? { 'pod-security.kubernetes.io/enforce-policy': levelVersionText(policy.enforce) } : {}),
    ...(violations.length === 0
      ? {}
      : {
          'pod-security.kubernetes.io/audit-violations': `would violate PodSecurity "${levelVersionText(policy.audit)}": ${detailsText(violations)}`,
        }),
  }
}

function judgedPod(asked: Asked): Judged | undefined {
  const { operation, subresource, object, before } = asked.attributes
  if (!object || ignoredPodSubresources.has(subresource)) return undefined
  const policy = policyFor(asked)
  if (!policy) return undefined
  const pod: Draft<Pod> = object
  if (operation === 'UPDATE' && before && !isSignificantUpdate(pod, before)) return undefined
  return judgedUnlessExempt(asked, policy, pod)
}

function judgedTemplate(
  asked: Asked,
  templateOf: (object: KubeObject) => Decoded<PodTemplateSpec> | undefined,
): Judged | undefined {
  const { subresource, object } = asked.attributes
  if (!object || subresource !== '') return undefined
  const policy = policyFor(asked)
  const template = policy && templateOf(object)
  return template && judgedUnlessExempt(asked, policy, template)
}

function judgedUnlessExempt({ exemptions }: Asked, policy: Policy, pod: Decoded<PodTemplateSpec>): Judged | undefined {
  const { runtimeClassName = '' } = pod.spec ?? {}
  return runtimeClassName !== '' && exemptions.runtimeClasses?.includes(runtimeClassName) ? undefined : { policy, pod }
}

/** The policy of the namespace; undefined where it asks for nothing, or not of this user. That it is there is NamespaceLifecycle's. */
function policyFor({ attributes: { operation, namespace, user }, view, exemptions }: Asked): Policy | undefined {
  if (operation !== 'CREATE' && operation !== 'UPDATE') return undefined
  if (exemptions.namespaces?.includes(namespace) || exemptions.usernames?.includes(user.name)) return undefined
  const { policy } = policyOf(view.get('namespaces', '', namespace)?.metadata.labels)
  return isFullyPrivileged(policy) ? undefined : policy
}

/** Of what an update may change, levels are about images and about which containers there are. */
function isSignificantUpdate(pod: Draft<Pod>, before: Draft<Pod>): boolean {
  const [next, last] = [pod.spec ?? {}, before.spec ?? {}]
  const differ = (containers: readonly Decoded<Container>[], others: readonly Decoded<Container>[]): boolean =>
    containers.length !== others.length || containers.some(({ image }, index) => image !== others[index]!.image)
  if (differ(items(next.containers), items(last.containers))) return true
  if (differ(items(next.initContainers), items(last.initContainers))) return true
  const images = new Map(items(last.ephemeralContainers).map(({ name, image }) => [name, image]))
  return items(next.ephemeralContainers).some(({ name, image }) => !images.has(name) || images.get(name) !== image)
}

/** Wrong labels are refused, unless the namespace has had just these. */
function validateLabels({ operation, subresource, object, before }: AdmissionAttributes): void {
  if (!object || subresource !== '') return
  const { causes } = policyOf(object.metadata.labels)
  if (causes.length === 0) return
  if (operation === 'UPDATE' && deepEqual(causes, policyOf(before?.metadata.labels).causes)) return
  throw new ApiError(invalid('', 'Namespace', object.metadata.name, causes))
}

function namespaceWarnings(asked: Asked): readonly string[] {
  const { operation, subresource, object, before } = asked.attributes
  if (!object || subresource !== '') return []
  const { policy } = policyOf(object.metadata.labels)
  if (operation === 'CREATE') return exemptionWarnings(asked, object, policy)
  if (operation !== 'UPDATE' || !isRaised(policy, policyOf(before?.metadata.labels).policy)) return []
  const { name } = object.metadata
  if (asked.exemptions.namespaces?.includes(name)) return exemptionWarnings(asked, object, policy)
  const pods = asked.view.list('pods', name) as readonly (KubeObject & Pod)[]
  const exempt = asked.exemptions.runtimeClasses
  const held = exempt
    ? pods.filter(({ spec }) => !spec.runtimeClassName || !exempt.includes(spec.runtimeClassName))
    : pods
  return existingPodWarnings(name, held, policy.enforce)
}

/** Pods may violate what is enforced now and was not before. */
function isRaised({ enforce: next }: Policy, { enforce: last }: Policy): boolean {
  if (next.level === 'privileged' || sameLevelVersion(next, last)) return false
  return next.version !== last.version || compareLevels(next.level, last.level) > 0
}

function exemptionWarnings({ exemptions }: Asked, { metadata }: KubeObject, policy: Policy): readonly string[] {
  if (!exemptions.namespaces?.includes(metadata.name) || isFullyPrivileged(policy)) return []
  const { labels = {} } = metadata
  const said = modes.filter(
    (mode) =>
      policy[mode].level !== 'privileged' &&
      (labels[levelLabel(mode)] !== undefined || labels[versionLabel(mode)] !== undefined),
  )
  const text = said.map((mode) => `${mode}=${levelVersionText(policy[mode])}`).join(', ')
  return [`namespace "${metadata.name}" is exempt from Pod Security, and the policy (${text}) will be ignored`]
}
