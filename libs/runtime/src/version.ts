// Which Shiplog this is: what `shiplog --version` says and what the pods of kube-system show as their image's tag.

export const shiplogVersion = '0.1.0'
