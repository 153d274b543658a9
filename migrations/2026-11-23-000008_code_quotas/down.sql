DROP TABLE code_quotas;
