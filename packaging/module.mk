# SPDX-License-Identifier: GPL-2.0-or-later
# Manual pages: templates with the tables of the programs filled in.
pages += agentd.8 agentctl.8 cloudd.8 agent.json.5

$(O)/gen/man_tables: $(O)/obj/packaging/man/tables.o $(O)/libagent.a
	$(link)

$(O)/man/%: packaging/man/%.in $(O)/gen/man_tables
	$(Q)mkdir -p $(@D)
	@echo "  MAN  $@"
	$(Q)$(O)/gen/man_tables <$< >$@.tmp && mv $@.tmp $@

-include $(O)/obj/packaging/man/tables.d
