output "lake_database" {
  description = "Glue's database of every table."
  value       = aws_glue_catalog_database.lake.name
}

output "analysts_database" {
  description = "Glue's database of analysts."
  value       = aws_glue_catalog_database.analysts.name
}

output "columns" {
  description = "Every table's columns as Glue has them, in order: name and type."
  value       = { for table, each in local.tables : table => [for column in each.columns : "${column.name} ${column.type}"] }
}

output "analysts_columns" {
  description = "Those that analysts see."
  value       = { for table, each in local.gold : table => [for column in each.columns : "${column.name} ${column.type}" if !column.subject] }
}
