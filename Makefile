# The front door. Each target is one line over `python3 -m kitestacks`, which has --help and exit codes of its own.
.DEFAULT_GOAL := help
PYTHON ?= python3
KITESTACKS := $(PYTHON) -m kitestacks

.PHONY: help doctor toolchain rehearsal rehearsal-status rehearsal-down deploy drill test test-apps lint sites schema runbook adopt bench

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

doctor: ## list all that this machine lacks, and how to get it
	@$(KITESTACKS) doctor

toolchain: ## get the Pulumi engine and its Docker provider, from wherever this machine can reach them
	@$(KITESTACKS) toolchain

rehearsal: ## bring both hosts up on this machine: real engine, simulated cloud, no account (DATA=real: real databases)
	@$(KITESTACKS) rehearsal up $(if $(DATA),--data $(DATA))

rehearsal-status: ## what runs in the rehearsal, and which sites answer
	@$(KITESTACKS) rehearsal status

rehearsal-down: ## take away everything that the rehearsal made
	@$(KITESTACKS) rehearsal down

deploy: ## update the hosts one by one: no shared site loses both, and data goes back with a version that fails
	@$(KITESTACKS) deploy

drill: ## take parts away in the rehearsal and measure who answers (one alone: FAULT=monk-gone)
	@$(KITESTACKS) drill $(FAULT)

test: ## linter, type checker and every test that this machine can run
	@$(KITESTACKS) check

test-apps: ## real apps from their registries, logged in to through a real provider (gigabytes, minutes)
	@$(KITESTACKS) check tests/apps

lint: ## linter and type checker alone
	@$(KITESTACKS) check --lint

sites: ## what is promised of each site; the table of the README is written anew
	@$(KITESTACKS) sites && $(KITESTACKS) sites --write

schema: ## write docs/stack-file.schema.json from the models
	@$(KITESTACKS) schema

runbook: ## write RUNBOOK.md from the stack files, with the dates of the last drills
	@$(KITESTACKS) runbook

adopt: ## the plan to take over what was made by hand on a host (HOST=monk); DO=--do or DO=--back carries it out
	@$(KITESTACKS) adopt -s $(HOST) $(DO)

bench: ## compare preview and up with a bare program of the same size
	@$(KITESTACKS) bench
