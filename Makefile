# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Needs git, make and Python 3.11 or newer with venv. Everything else is installed into a cache outside of the checkout
# ($XDG_CACHE_HOME or ~/.cache, folder kubeops-aggregation-layer); `make clean` deletes it.

TOOLS := tests/tools/run

.DEFAULT_GOAL := help
.PHONY: help demo test list bench lint units sanity integration real cluster docs shell reference clean

help:
	@echo 'make demo         configure three sandboxed masters on this machine, and show what is done'
	@echo 'make test         run all tests; make test ONLY="units docs" runs these'
	@echo 'make list         list the test sessions'
	@echo 'make lint         the quick ones: style, types, documentation, licences, changelog'
	@echo 'make units        unit tests on the oldest and the newest Python that are installed'
	@echo 'make sanity       ansible-test sanity'
	@echo 'make integration  modules, role and playbook on this machine'
	@echo 'make real         a real etcd and kube-apiserver'
	@echo 'make cluster      three real masters, made by kubeadm on this machine (root, Debian)'
	@echo 'make docs         the documentation of modules and role'
	@echo 'make bench        measure what a run costs, and write the tables of docs/benchmark.rst'
	@echo 'make shell        a shell with ansible-core, pytest and this collection'
	@echo 'make reference    write docs/reference and docs/findings.md from modules, role and findings'
	@echo 'make clean        delete what the commands above keep'

# forty minutes on a quiet machine; as root on Debian, with openssh-server installed
bench:
	@$(TOOLS) bench -- --write docs/benchmark.rst

demo list shell reference clean:
	@$(TOOLS) $@

test:
	@$(TOOLS) test $(ONLY)

lint units sanity integration real cluster docs:
	@$(TOOLS) test $@
