// As whom a container's processes run.
import { type Check, type CheckPod, containersText, namesOf, settersText, unlessUserNamespace } from './check.ts'

const checkRunAsNonRoot: CheckPod = ({ context, containers }) => {
  const reason = 'runAsNonRoot != true'
  const isPod = context.runAsNonRoot === false
  const bad = containers.filter(({ securityContext }) => securityContext?.runAsNonRoot === false)
  if (isPod || bad.length > 0) {
    return { reason, detail: `${settersText(isPod, bad)} must not set securityContext.runAsNonRoot=false` }
  }
  if (context.runAsNonRoot) return undefined
  const silent = containers.filter(({ securityContext }) => securityContext?.runAsNonRoot === undefined)
  return silent.length === 0
    ? undefined
    : { reason, detail: `pod or ${containersText(namesOf(silent))} must set securityContext.runAsNonRoot=true` }
}

export const runAsNonRoot: Check = {
  id: 'runAsNonRoot',
  versions: [
    [0, checkRunAsNonRoot],
    [35, unlessUserNamespace(checkRunAsNonRoot)],
  ],
}

const checkRunAsUser: CheckPod = ({ context, containers }) => {
  const isPod = context.runAsUser === 0
  const bad = containers.filter(({ securityContext }) => securityContext?.runAsUser === 0)
  return !isPod && bad.length === 0
    ? undefined
    : { reason: 'runAsUser=0', detail: `${settersText(isPod, bad)} must not set runAsUser=0` }
}

export const runAsUser: Check = {
  id: 'runAsUser',
  versions: [
    [23, checkRunAsUser],
    [35, unlessUserNamespace(checkRunAsUser)],
  ],
}
