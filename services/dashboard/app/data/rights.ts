// What the signed-in user may do, as the server's own reviews say it. What is forbidden is not offered, and says why.
import { useEffect, useState } from 'react'
import { askJson } from './api.ts'
import type { Kind } from './kinds.ts'

export interface Right {
  readonly verb: string
  readonly group: string
  readonly resource: string
  readonly subresource?: string
  readonly namespace?: string
  readonly name?: string
}

export interface Verdict {
  readonly allowed: boolean
  readonly why: string
}

/** Why nothing can be done, of a session that only looks. */
export const readOnlyWhy = 'This session is read-only'

const verdicts = new Map<string, Promise<Verdict>>()
const lifetimeMs = 30_000

export function mayI(right: Right): Promise<Verdict> {
  const key = JSON.stringify(right)
  let verdict = verdicts.get(key)
  if (!verdict) {
    verdict = review(right)
    verdicts.set(key, verdict)
    // What could not be asked is asked again.
    verdict.catch(() => verdicts.delete(key))
    window.setTimeout(() => verdicts.delete(key), lifetimeMs)
  }
  return verdict
}

async function review(right: Right): Promise<Verdict> {
  const { status } = await askJson('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
    method: 'POST',
    body: { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec: { resourceAttributes: right } },
  })
  const what = `${right.resource}${right.subresource ? `/${right.subresource}` : ''}`
  const where = right.namespace ? ` in ${right.namespace}` : ''
  return { allowed: status.allowed === true, why: status.allowed ? '' : `You may not ${right.verb} ${what}${where}${status.reason ? `: ${status.reason}` : ''}` }
}

/** Undefined until it is known. */
export function useRight(right: Right | undefined): Verdict | undefined {
  const [verdict, setVerdict] = useState<Verdict>()
  const key = JSON.stringify(right)
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key tells the right
  useEffect(() => {
    let isWanted = true
    setVerdict(undefined)
    if (right) mayI(right).then((found) => isWanted && setVerdict(found), () => isWanted && setVerdict({ allowed: false, why: 'It is not known whether you may' }))
    return () => void (isWanted = false)
  }, [key])
  return verdict
}

interface Rule {
  readonly verbs: readonly string[]
  readonly apiGroups?: readonly string[]
  readonly resources?: readonly string[]
}

/** Which kinds can be listed in a namespace; everything until it is known. */
export function useListable(namespace: string): (kind: Kind) => boolean {
  const [rules, setRules] = useState<readonly Rule[]>()
  useEffect(() => {
    let isWanted = true
    askJson('/apis/authorization.k8s.io/v1/selfsubjectrulesreviews', {
      method: 'POST',
      body: { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectRulesReview', spec: { namespace: namespace || 'default' } },
    }).then(
      ({ status }) => isWanted && setRules(status.incomplete ? undefined : status.resourceRules),
      () => undefined,
    )
    return () => void (isWanted = false)
  }, [namespace])
  const has = (list: readonly string[] | undefined, value: string): boolean => (list ?? []).some((one) => one === '*' || one === value)
  return (kind) => !rules || rules.some((rule) => has(rule.verbs, 'list') && has(rule.apiGroups, kind.group) && has(rule.resources, kind.resource))
}
