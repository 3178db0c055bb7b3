# Everything a user or a developer of L4Balancer starts. `make` alone lists it.

PREFIX        ?= /usr/local
DESTDIR       ?=
CONFIGURATION ?= Debug
ARGS          ?=
# 1: native code, compiled ahead of time. 0: the portable runtime in one file, for a machine without a C linker.
NATIVE        ?= 1

# The SDK's own install script puts it into the home directory and not on the PATH.
DOTNET ?= $(or $(shell command -v dotnet 2>/dev/null),$(wildcard $(HOME)/.dotnet/dotnet),dotnet)

export DOTNET_CLI_TELEMETRY_OPTOUT = 1
export DOTNET_NOLOGO = 1

ARCH_x86_64  = x64
ARCH_amd64   = x64
ARCH_aarch64 = arm64
ARCH_arm64   = arm64
OS_Linux     = linux
OS_Darwin    = osx
RID ?= $(OS_$(shell uname -s))-$(ARCH_$(shell uname -m))

SOLUTION = L4Balancer.sln
DAEMON   = src/L4Balancer/bin/$(CONFIGURATION)/net10.0/l4balancer.dll
RESULTS  = artifacts/test-results
PUBLISH  = artifacts/publish
SOURCES  = $(shell find src Directory.Build.props Directory.Packages.props global.json -type f -not -path '*/bin/*' -not -path '*/obj/*')

LIBDIR   = $(PREFIX)/lib/l4balancer
BINDIR   = $(PREFIX)/bin
UNITDIR  = $(PREFIX)/lib/systemd/system
USERSDIR = $(PREFIX)/lib/sysusers.d
SHAREDIR = $(PREFIX)/share
DOCDIR   = $(SHAREDIR)/doc/l4balancer
# Where zsh looks: Debian's has a folder for packages, and everywhere else there is site-functions.
ZSHDIR  ?= $(SHAREDIR)/zsh/$(if $(filter /usr,$(PREFIX)),vendor-completions,site-functions)
FISHDIR ?= $(SHAREDIR)/fish/vendor_completions.d
CONFDIR  = /etc/l4balancer

.DEFAULT_GOAL := help
.PHONY: help sdk linker build test test-native test-deps chaos fuzz run bench lint publish package image install install-files install-documents install-units uninstall clean

help: ## lists the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

sdk:
	@$(DOTNET) --list-sdks 2>/dev/null | grep -q '^10\.' || { \
	  echo "make: the .NET 10 SDK is missing: install the package dotnet-sdk-10.0, or https://dotnet.microsoft.com/download/dotnet/10.0" >&2; \
	  exit 1; }

linker:
	@packaging/native-tools

build: sdk ## compiles everything
	$(DOTNET) build $(SOLUTION) -c $(CONFIGURATION) -v q

# What one build is enough for runs once: "Published" with the published one, "Logic" with the portable one
# (tests/L4Balancer.Tests/DaemonProcess.cs).
FILTER        = TestCategory!=Published
FILTER_NATIVE = TestCategory=Daemon&TestCategory!=Logic

# One project after the other: tests that hold the daemon to a time do not share the processors with another project's.
test: build ## builds and runs the tests; what is not installed is skipped, with its reason
	@rm -rf $(RESULTS)
	@$(DOTNET) test $(SOLUTION) -c $(CONFIGURATION) --no-build -m:1 \
	  --filter "$(FILTER)" --results-directory $(RESULTS) --logger trx --logger "console;verbosity=minimal" $(ARGS); \
	  status=$$?; .ci/summary $(RESULTS) || status=1; exit $$status

# Those tests that start the daemon as a process, once more against what is shipped.
test-native: build $(PUBLISH)/l4balancer ## publishes, and runs the tests of the daemon's process against the published executable
	@rm -rf $(RESULTS)-native
	@L4BALANCER_TEST_DAEMON=$(CURDIR)/$(PUBLISH)/l4balancer $(DOTNET) test tests/L4Balancer.Tests -c $(CONFIGURATION) --no-build \
	  --filter "$(FILTER_NATIVE)" --results-directory $(RESULTS)-native --logger trx --logger "console;verbosity=minimal" $(ARGS); \
	  status=$$?; .ci/summary $(RESULTS)-native || status=1; exit $$status

test-deps: ## installs what optional tests need (Debian and npm packages), where it may
	@.ci/test-deps

# The same driver as in the tests (docs/chaos.md); what is empty has a default, and without SEED each run has another one.
chaos: sdk $(if $(PUBLISHED),$(PUBLISH)/l4balancer) ## chaos around a running daemon (SECONDS=600 ENGINE=epoll WORKERS=4 SEED=21; PUBLISHED=1: the native one)
	@$(DOTNET) build tests/L4Balancer.Tests -c $(CONFIGURATION) -v q -clp:NoSummary
	@$(if $(PUBLISHED),L4BALANCER_TEST_DAEMON=$(CURDIR)/$(PUBLISH)/l4balancer) $(DOTNET) \
	  tests/L4Balancer.Tests/bin/$(CONFIGURATION)/net10.0/L4Balancer.Tests.dll chaos \
	  --seconds "$(SECONDS)" --engine "$(ENGINE)" --workers "$(WORKERS)" --seed "$(SEED)" --clients "$(CLIENTS)"

# The same targets as in the tests (docs/fuzzing.md); without TARGET all, one after the other.
fuzz: sdk ## fuzzes the parsers with AFL++ or libFuzzer (TARGET=clienthello SECONDS=60 DRIVER=afl)
	@$(DOTNET) build tests/L4Balancer.Fuzz -c $(CONFIGURATION) -v q -clp:NoSummary
	@$(DOTNET) tests/L4Balancer.Fuzz/bin/$(CONFIGURATION)/net10.0/L4Balancer.Fuzz.dll fuzz \
	  --target "$(TARGET)" --seconds "$(SECONDS)" --driver "$(DRIVER)"

run: sdk ## builds, then starts the demo: echo backends and a balancer before them (ARGS="--port 9000")
	@$(DOTNET) build src/L4Balancer -c $(CONFIGURATION) -v q -clp:NoSummary
	@exec $(DOTNET) $(DAEMON) demo $(ARGS)

bench: sdk ## measures: micro, load and compare (ARGS=compare for one of them, ARGS=--help for what there is)
	cd bench && $(DOTNET) run -c Release -- $(ARGS)

lint: sdk ## checks format, style and analyzers
	$(DOTNET) restore $(SOLUTION) -v q
	$(DOTNET) format $(SOLUTION) --verify-no-changes --no-restore

# One executable: an upgrade of the package replaces it at once, and a daemon that runs keeps the old one whole.
publish: sdk $(if $(filter 0,$(NATIVE)),,linker) ## the release into artifacts/publish: native code (NATIVE=0: the portable runtime in one file)
	rm -rf $(PUBLISH)
	$(DOTNET) publish src/L4Balancer -c Release -r $(RID) -p:Native=$(NATIVE) -o $(PUBLISH) -v q

$(PUBLISH)/l4balancer: $(SOURCES)
	@$(MAKE) --no-print-directory publish

package: $(PUBLISH)/l4balancer ## a .deb (needs debhelper), an .rpm (needs rpm), a tarball and a bill of materials, into artifacts/package
	@packaging/package $(PUBLISH) artifacts/package

image: $(PUBLISH)/l4balancer ## an OCI image of the native build, made without a registry (needs jq), into artifacts/image
	@packaging/image $(PUBLISH) artifacts/image

install: $(PUBLISH)/l4balancer ## installs under PREFIX (and DESTDIR): program, unit, user, manual, a first configuration
	@$(MAKE) --no-print-directory install-files install-units
	@if [ -z "$(DESTDIR)" ] && getent group l4balancer >/dev/null; then chgrp l4balancer $(CONFDIR)/balancer.toml 2>/dev/null || true; fi
	@echo "Next: edit $(CONFDIR)/balancer.toml, then: systemd-sysusers && chgrp l4balancer $(CONFDIR)/balancer.toml && systemctl daemon-reload && systemctl enable --now l4balancer"

install-files:
	rm -rf $(DESTDIR)$(LIBDIR)
	install -d $(DESTDIR)$(LIBDIR) $(DESTDIR)$(BINDIR) $(DESTDIR)$(CONFDIR) $(DESTDIR)$(SHAREDIR)/man/man5 $(DESTDIR)$(SHAREDIR)/man/man8 \
	  $(DESTDIR)$(SHAREDIR)/bash-completion/completions $(DESTDIR)$(ZSHDIR) $(DESTDIR)$(FISHDIR)
	cp -R $(PUBLISH)/. $(DESTDIR)$(LIBDIR)/
	rm -f $(DESTDIR)$(LIBDIR)/*.dbg
	chmod -R u=rwX,go=rX $(DESTDIR)$(LIBDIR)
	ln -sf ../lib/l4balancer/l4balancer $(DESTDIR)$(BINDIR)/l4balancer
	install -m 644 packaging/man/l4balancer.8 $(DESTDIR)$(SHAREDIR)/man/man8/l4balancer.8
	perl packaging/man/configuration.pl docs/configuration.md > $(DESTDIR)$(SHAREDIR)/man/man5/balancer.toml.5
	chmod 644 $(DESTDIR)$(SHAREDIR)/man/man5/balancer.toml.5
	install -m 644 packaging/completions/l4balancer.bash $(DESTDIR)$(SHAREDIR)/bash-completion/completions/l4balancer
	install -m 644 packaging/completions/_l4balancer $(DESTDIR)$(ZSHDIR)/_l4balancer
	install -m 644 packaging/completions/l4balancer.fish $(DESTDIR)$(FISHDIR)/l4balancer.fish
	@$(MAKE) --no-print-directory install-documents
	test -e $(DESTDIR)$(CONFDIR)/balancer.toml || install -m 640 packaging/balancer.toml $(DESTDIR)$(CONFDIR)/balancer.toml

# The documents with what they refer to, at the same places as in the source.
install-documents:
	rm -rf $(DESTDIR)$(DOCDIR)/docs $(DESTDIR)$(DOCDIR)/examples $(DESTDIR)$(DOCDIR)/packaging
	install -d $(DESTDIR)$(DOCDIR)/examples $(DESTDIR)$(DOCDIR)/packaging
	install -m 644 README.md CHANGELOG.md $(DESTDIR)$(DOCDIR)/
	cp -R docs $(DESTDIR)$(DOCDIR)/docs
	cp -R packaging/examples/. packaging/prometheus packaging/grafana $(DESTDIR)$(DOCDIR)/examples/
	install -m 644 balancer.toml.example $(DESTDIR)$(DOCDIR)/examples/
	ln -sf examples/balancer.toml.example $(DESTDIR)$(DOCDIR)/balancer.toml.example
	ln -sfn ../examples $(DESTDIR)$(DOCDIR)/packaging/examples
	ln -sfn ../examples/prometheus $(DESTDIR)$(DOCDIR)/packaging/prometheus
	ln -sfn ../examples/grafana $(DESTDIR)$(DOCDIR)/packaging/grafana
	install -D -m 644 packaging/systemd/packet-mode.conf $(DESTDIR)$(DOCDIR)/packaging/systemd/packet-mode.conf
	chmod -R u=rwX,go=rX $(DESTDIR)$(DOCDIR)

install-units:
	install -d $(DESTDIR)$(UNITDIR) $(DESTDIR)$(USERSDIR)
	sed 's|/usr/local/bin/|$(BINDIR)/|' packaging/systemd/l4balancer.service > $(DESTDIR)$(UNITDIR)/l4balancer.service
	chmod 644 $(DESTDIR)$(UNITDIR)/l4balancer.service
	install -m 644 packaging/systemd/l4balancer.socket $(DESTDIR)$(UNITDIR)/l4balancer.socket
	install -m 644 packaging/sysusers.d/l4balancer.conf $(DESTDIR)$(USERSDIR)/l4balancer.conf

uninstall: ## removes what install put there, but the configuration
	rm -f $(DESTDIR)$(BINDIR)/l4balancer $(DESTDIR)$(UNITDIR)/l4balancer.service $(DESTDIR)$(UNITDIR)/l4balancer.socket $(DESTDIR)$(USERSDIR)/l4balancer.conf \
	  $(DESTDIR)$(SHAREDIR)/man/man5/balancer.toml.5 $(DESTDIR)$(SHAREDIR)/man/man8/l4balancer.8 \
	  $(DESTDIR)$(SHAREDIR)/bash-completion/completions/l4balancer $(DESTDIR)$(ZSHDIR)/_l4balancer \
	  $(DESTDIR)$(FISHDIR)/l4balancer.fish
	rm -rf $(DESTDIR)$(LIBDIR) $(DESTDIR)$(DOCDIR)

clean: ## removes what was built
	rm -rf artifacts bench/BenchmarkDotNet.Artifacts tests/L4Balancer.Tests/npm/node_modules
	find src tests bench -type d \( -name bin -o -name obj \) -prune -exec rm -rf {} +
