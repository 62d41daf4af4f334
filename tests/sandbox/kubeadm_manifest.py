# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The static pod manifests that kubeadm writes, as text."""

from __future__ import annotations

import typing as t

__all__ = ["apiserver_manifest", "scheduler_manifest"]

# Read in what `kubeadm init phase control-plane` of 1.20.2 writes.
APISERVER = """\
apiVersion: v1
kind: Pod
metadata:
  annotations:
    kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint: {address}:6443
  creationTimestamp: null
  labels:
    component: kube-apiserver
    tier: control-plane
  name: kube-apiserver
  namespace: kube-system
spec:
  containers:
  - command:
    - kube-apiserver
{flags}
    image: {registry}/kube-apiserver:v{version}
    imagePullPolicy: IfNotPresent
    livenessProbe:
{live}
    name: kube-apiserver
    readinessProbe:
{ready}
    resources:
      requests:
        cpu: 250m
    startupProbe:
{start}
    volumeMounts:
{mounts}
  hostNetwork: true
  priorityClassName: system-node-critical
  volumes:
{volumes}
status: {{}}
"""

MOUNT = """\
    - mountPath: {path}
      name: {volume}
      readOnly: true"""
VOLUME = """\
  - hostPath:
      path: {path}
      type: DirectoryOrCreate
    name: {volume}"""

SCHEDULER = """\
apiVersion: v1
kind: Pod
metadata:
  creationTimestamp: null
  labels:
    component: kube-scheduler
    tier: control-plane
  name: kube-scheduler
  namespace: kube-system
spec:
  containers:
  - command:
    - kube-scheduler
    - --authentication-kubeconfig=/etc/kubernetes/scheduler.conf
    - --authorization-kubeconfig=/etc/kubernetes/scheduler.conf
    - --bind-address=127.0.0.1
    - --kubeconfig=/etc/kubernetes/scheduler.conf
    - --leader-elect=true
    image: {registry}/kube-scheduler:v{version}
    imagePullPolicy: IfNotPresent
    name: kube-scheduler
    resources:
      requests:
        cpu: 100m
    volumeMounts:
    - mountPath: /etc/kubernetes/scheduler.conf
      name: kubeconfig
      readOnly: true
  hostNetwork: true
  priorityClassName: system-node-critical
  volumes:
  - hostPath:
      path: /etc/kubernetes/scheduler.conf
      type: FileOrCreate
    name: kubeconfig
status: {{}}
"""


def apiserver_manifest(*, address: str, version: str, certificates_dir: str, bare: bool) -> str:
    """The manifest of kube-apiserver, ``bare`` of the aggregation layer's flags or as kubeadm makes it."""
    pki = certificates_dir
    flags = {
        "advertise-address": address,
        "allow-privileged": "true",
        "authorization-mode": "Node,RBAC",
        "client-ca-file": f"{pki}/ca.crt",
        "enable-admission-plugins": "NodeRestriction",
        "enable-bootstrap-token-auth": "true",
        "etcd-cafile": f"{pki}/etcd/ca.crt",
        "etcd-certfile": f"{pki}/apiserver-etcd-client.crt",
        "etcd-keyfile": f"{pki}/apiserver-etcd-client.key",
        "etcd-servers": "https://127.0.0.1:2379",
        "kubelet-client-certificate": f"{pki}/apiserver-kubelet-client.crt",
        "kubelet-client-key": f"{pki}/apiserver-kubelet-client.key",
        "kubelet-preferred-address-types": "InternalIP,ExternalIP,Hostname",
        "secure-port": "6443",
        "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
        "service-account-key-file": f"{pki}/sa.pub",
        "service-account-signing-key-file": f"{pki}/sa.key",
        "service-cluster-ip-range": "10.96.0.0/12",
        "tls-cert-file": f"{pki}/apiserver.crt",
        "tls-private-key-file": f"{pki}/apiserver.key",
    }
    if release(version) < (1, 22):
        flags["insecure-port"] = "0"
    if not bare:
        flags.update(
            {
                "proxy-client-cert-file": f"{pki}/front-proxy-client.crt",
                "proxy-client-key-file": f"{pki}/front-proxy-client.key",
                "requestheader-allowed-names": "front-proxy-client",
                "requestheader-client-ca-file": f"{pki}/front-proxy-ca.crt",
                "requestheader-extra-headers-prefix": "X-Remote-Extra-",
                "requestheader-group-headers": "X-Remote-Group",
                "requestheader-username-headers": "X-Remote-User",
            }
        )
    mounted = {
        "ca-certs": "/etc/ssl/certs",
        "etc-ca-certificates": "/etc/ca-certificates",
        "k8s-certs": pki,
        "usr-local-share-ca-certificates": "/usr/local/share/ca-certificates",
        "usr-share-ca-certificates": "/usr/share/ca-certificates",
    }
    return APISERVER.format(
        address=address,
        registry=registry(version),
        version=version,
        flags=lines(f"    - --{flag}={value}" for flag, value in sorted(flags.items())),
        live=probe(address, "/livez", failures=8, delay=10, period=10),
        ready=probe(address, "/readyz", failures=3, delay=0, period=1),
        start=probe(address, "/livez", failures=24, delay=10, period=10),
        mounts=lines(MOUNT.format(path=path, volume=volume) for volume, path in mounted.items()),
        volumes=lines(VOLUME.format(path=path, volume=volume) for volume, path in mounted.items()),
    )


def scheduler_manifest(*, version: str) -> str:
    """The manifest of kube-scheduler: a neighbour in the folder, which nobody has to touch."""
    return SCHEDULER.format(registry=registry(version), version=version)


def probe(address: str, path: str, *, failures: int, delay: int, period: int) -> str:
    wait = f"      initialDelaySeconds: {delay}\n" if delay else ""
    return (
        f"      failureThreshold: {failures}\n"
        f"      httpGet:\n        host: {address}\n        path: {path}\n        port: 6443\n        scheme: HTTPS\n"
        f"{wait}      periodSeconds: {period}\n      timeoutSeconds: 15"
    )


def release(version: str) -> tuple[int, int]:
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


def registry(version: str) -> str:
    return "registry.k8s.io" if release(version) >= (1, 25) else "k8s.gcr.io"


def lines(items: t.Iterable[str]) -> str:
    return "\n".join(items)
